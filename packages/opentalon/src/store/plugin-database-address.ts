/**
 * The program that migrates one database. It is a process of its own because a plugin wrote
 * the statements: they may take for ever, and only a process can be ended in the middle of one.
 */
export const pluginDatabaseProgram = new URL("./plugin-database-program.ts", import.meta.url);
