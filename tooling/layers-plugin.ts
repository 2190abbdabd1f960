import { relative, sep } from "node:path";
import { explainForbiddenImport, explainForbiddenProcess, mayImportComputed } from "./layers.ts";

/**
 * The rules of `architecture.ts` as a plugin of the linter: `layers/imports` for what a file imports in any form,
 * `layers/process` for the global `process`.
 */

/** The few parts of a syntax tree these rules look at. */
interface SyntaxNode {
  readonly type: string;
  readonly parent?: SyntaxNode | null;
  readonly source?: SyntaxNode | null;
  readonly argument?: SyntaxNode | null;
  readonly expression?: SyntaxNode | null;
  readonly literal?: SyntaxNode | null;
  readonly id?: SyntaxNode | null;
  readonly object?: SyntaxNode;
  readonly property?: SyntaxNode;
  readonly callee?: SyntaxNode;
  readonly arguments?: readonly SyntaxNode[];
  readonly moduleReference?: SyntaxNode;
  readonly quasis?: readonly { readonly value: { readonly cooked: string | null } }[];
  readonly value?: unknown;
  readonly name?: string;
  readonly computed?: boolean;
  readonly importKind?: "type" | "value";
  readonly exportKind?: "type" | "value";
}

interface RuleContext {
  readonly filename: string;
  readonly cwd: string;
  readonly sourceCode: {
    readonly scopeManager: {
      readonly globalScope: {
        readonly through: readonly { readonly identifier: SyntaxNode }[];
      } | null;
    };
  };
  readonly report: (problem: { readonly node: SyntaxNode; readonly message: string }) => void;
}

type Visitor = Readonly<Record<string, (node: SyntaxNode) => void>>;

const imports = {
  meta: {
    type: "problem" as const,
    docs: { description: "Folders import only what architecture.ts lets them." },
  },
  create: (context: RuleContext): Visitor => {
    const file = toFile(context);
    const check = (
      node: SyntaxNode,
      source: SyntaxNode | null | undefined,
      typeOnly: boolean,
    ): void => {
      if (source === null || source === undefined) return;
      const specifier = toText(source);
      const problem =
        specifier === undefined
          ? explainComputed(file)
          : explainForbiddenImport({ file, specifier, typeOnly });
      if (problem !== undefined) context.report({ node, message: problem });
    };
    return {
      ImportDeclaration: (node) => check(node, node.source, node.importKind === "type"),
      ExportNamedDeclaration: (node) => check(node, node.source, node.exportKind === "type"),
      ExportAllDeclaration: (node) => check(node, node.source, node.exportKind === "type"),
      ImportExpression: (node) => check(node, node.source, false),
      TSImportType: (node) => check(node, node.source ?? node.argument, true),
      TSExternalModuleReference: (node) =>
        check(node, node.expression, node.parent?.importKind === "type"),
      TSModuleDeclaration: (node) => {
        // `declare module "…"` adds to a module, `declare global` to none.
        if (node.id?.type === "Literal") check(node, node.id, true);
      },
      CallExpression: (node) => {
        if (isLoader(node.callee)) check(node, node.arguments?.[0], false);
      },
    };
  },
};

const processMembers = {
  meta: {
    type: "problem" as const,
    docs: { description: "Environment, arguments and exit belong to the command line." },
  },
  create: (context: RuleContext): Visitor => {
    const file = toFile(context);
    const check = (node: SyntaxNode): void => {
      const { parent } = node;
      const isObject = parent?.type === "MemberExpression" && parent.object === node;
      const problem = explainForbiddenProcess(file, isObject ? toMemberName(parent) : undefined);
      if (problem !== undefined) context.report({ node, message: problem });
    };
    return {
      "Program:exit": () => {
        // What no scope of the file declares, so that a variable called `process` stays free to use.
        for (const { identifier } of context.sourceCode.scopeManager.globalScope?.through ?? []) {
          if (identifier.name === "process") check(identifier);
        }
      },
      MemberExpression: (node) => {
        const { object } = node;
        const isGlobal =
          object?.type === "Identifier" &&
          (object.name === "globalThis" || object.name === "global");
        if (isGlobal && toMemberName(node) === "process") check(node);
      },
    };
  },
};

function explainComputed(file: string): string | undefined {
  return mayImportComputed(file)
    ? undefined
    : "import a literal path, so that it can be checked and bundled";
}

function toFile({ cwd, filename }: RuleContext): string {
  return relative(cwd, filename).split(sep).join("/");
}

/** `require(…)`, `require.resolve(…)` and `import.meta.resolve(…)` reach a module as surely as an import. */
function isLoader(callee: SyntaxNode | undefined): boolean {
  if (callee?.type === "Identifier") return callee.name === "require";
  if (callee?.type !== "MemberExpression") return false;
  const method = toMemberName(callee);
  const owner = callee.object?.type === "Identifier" ? callee.object.name : undefined;
  if (owner === "require") return method === "resolve";
  return callee.object?.type === "MetaProperty" && method === "resolve";
}

/** The text of a string or of a template without holes. */
function toText(node: SyntaxNode): string | undefined {
  if (node.type === "TSLiteralType" && node.literal) return toText(node.literal);
  if (node.type === "Literal") return typeof node.value === "string" ? node.value : undefined;
  if (node.type === "TemplateLiteral" && node.quasis?.length === 1)
    return node.quasis[0]?.value.cooked ?? undefined;
  return undefined;
}

function toMemberName(node: SyntaxNode): string | undefined {
  if (node.property === undefined) return undefined;
  return node.computed === true ? toText(node.property) : node.property.name;
}

export default { meta: { name: "layers" }, rules: { imports, process: processMembers } };
