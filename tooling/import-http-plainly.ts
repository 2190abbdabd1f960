import http from "node:http";
import type { Plugin } from "rolldown";

const id = "\0node-http";

/**
 * Has a bundle take `node:http` from `process.getBuiltinModule`. An import reads every export of the module, and three of
 * them (`WebSocket` and its events) load the client behind `fetch` when they are read: 35 ms and 16 MB for who only wants
 * a server.
 */
export function importHttpPlainly(): Plugin {
  const names = Object.entries(Object.getOwnPropertyDescriptors(http))
    .filter(([, property]) => "value" in property)
    .map(([name]) => name);
  const code = [
    `const http = process.getBuiltinModule("node:http");`,
    ...names.map((name) => `export const ${name} = /* @__PURE__ */ (() => http.${name})();`),
    "export default http;",
  ].join("\n");
  return {
    name: "import-http-plainly",
    resolveId: (source) => (source === "node:http" ? { id, moduleSideEffects: false } : undefined),
    load: (module) => (module === id ? code : undefined),
  };
}
