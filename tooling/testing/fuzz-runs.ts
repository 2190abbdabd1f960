import { configureGlobal } from "fast-check";

/** How often each property is tried: few in every run of the tests, many under `make fuzz`. */
const runs = Number(process.env["OPENTALON_FUZZ_RUNS"] ?? "0");
if (runs > 0) configureGlobal({ numRuns: runs });
