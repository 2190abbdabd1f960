/** Starts the command in its arguments as a child, prints its pid and the first line it writes, and stays. */
import { spawn } from "node:child_process";

const [program = "", ...rest] = process.argv.slice(2);
const child = spawn(program, rest, { stdio: ["ignore", "pipe", "ignore"], detached: true });
child.stdout.once("data", (line: Buffer) => console.log(`${child.pid} ${line.toString()}`));
setInterval(() => {}, 1_000);
