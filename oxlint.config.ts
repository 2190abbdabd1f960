import { defineConfig } from "oxlint";

/**
 * Rules that catch mistakes, types included, plus the borders of `architecture.ts`. Taste is left to the formatter.
 * A rule that is off says why.
 */
export default defineConfig({
  plugins: ["eslint", "typescript", "unicorn", "oxc", "import", "promise", "node", "vitest"],
  jsPlugins: ["./tooling/layers-plugin.ts"],
  options: { typeAware: true, reportUnusedDisableDirectives: "error" },
  // Templates are checked where they are used, with the rules of their authors.
  ignorePatterns: ["**/dist/**", "**/gen/**", "**/fixtures/**", "**/templates/**"],
  categories: { correctness: "error", suspicious: "error", perf: "error" },
  rules: {
    "layers/imports": "error",
    "layers/process": "error",
    "import/no-cycle": ["error", { ignoreTypes: false }],

    // Promises: none is forgotten, none is mistaken for its value.
    "typescript/no-floating-promises": [
      "error",
      {
        checkThenables: true,
        // The test runner of Node waits for its tests by itself.
        allowForKnownSafeCalls: [{ from: "package", name: "test", package: "node:test" }],
      },
    ],
    "typescript/no-misused-promises": "error",
    "typescript/await-thenable": "error",
    "typescript/return-await": ["error", "error-handling-correctness-only"],
    "typescript/prefer-promise-reject-errors": "error",
    "typescript/only-throw-error": "error",
    "typescript/use-unknown-in-catch-callback-variable": "error",
    "promise/no-multiple-resolved": "error",
    "promise/no-return-in-finally": "error",
    "promise/always-return": "off", // `then` for an effect is fine where no-floating-promises sees its end.
    "eslint/require-await": "off",
    "typescript/require-await": "off", // A port may promise what one adapter can do at once.

    // Types: nothing unknown passes for known.
    "typescript/no-explicit-any": "error",
    "typescript/no-unsafe-argument": "error",
    "typescript/no-unsafe-assignment": "error",
    "typescript/no-unsafe-call": "error",
    "typescript/no-unsafe-member-access": "error",
    "typescript/no-unsafe-return": "error",
    "typescript/no-unsafe-function-type": "error",
    "typescript/no-misused-spread": ["error", { allow: ["string"] }], // Code points are what the guard counts in.
    "typescript/no-unsafe-type-assertion": "off", // Parsed JSON and rows of the database are asserted at the border.
    "typescript/no-non-null-assertion": "error",
    "typescript/ban-ts-comment": "error",
    "typescript/switch-exhaustiveness-check": [
      "error",
      { considerDefaultExhaustiveForUnions: true },
    ],
    "typescript/restrict-plus-operands": "error",
    "typescript/restrict-template-expressions": [
      "error",
      { allowNumber: true, allowBoolean: true },
    ],
    "typescript/no-deprecated": "error",
    "typescript/no-dynamic-delete": "error",
    "typescript/prefer-nullish-coalescing": "error",
    "typescript/prefer-optional-chain": "error",
    "typescript/prefer-readonly": "error",
    "typescript/consistent-return": "off", // Mistakes an exhaustive switch for an end without a return; the compiler does not.

    // Shape of a module.
    "typescript/consistent-type-imports": ["error", { disallowTypeAnnotations: false }],
    "typescript/consistent-type-exports": "error",
    "typescript/no-import-type-side-effects": "error",
    "typescript/method-signature-style": ["error", "property"],
    "typescript/array-type": ["error", { default: "array" }],
    "typescript/no-namespace": "error",
    "typescript/parameter-properties": "error",
    "typescript/no-require-imports": "error",
    "typescript/explicit-module-boundary-types": "error",
    "import/no-default-export": "error",
    "import/no-duplicates": "error",
    "import/no-mutable-exports": "error",
    "import/no-named-as-default-member": "off", // `import pg from "pg"` is how packages of the older kind are used.
    "import/no-unassigned-import": "error",
    "import/first": "error",
    "import/extensions": ["error", "always", { ignorePackages: true }],
    "unicorn/filename-case": ["error", { case: "kebabCase" }],
    "unicorn/prefer-node-protocol": "error",

    // Code that does what it seems to do.
    "eslint/eqeqeq": "error",
    "eslint/no-var": "error",
    "eslint/prefer-const": "error",
    "eslint/no-console": "error",
    "eslint/no-empty": "error",
    "eslint/no-else-return": "error",
    "eslint/no-fallthrough": "error",
    "eslint/no-self-compare": "error",
    "eslint/no-new-func": "error",
    "eslint/no-new-wrappers": "error",
    "eslint/no-param-reassign": "error",
    "eslint/no-return-assign": "error",
    "eslint/no-constructor-return": "error",
    "eslint/no-prototype-builtins": "error",
    "eslint/no-proto": "error",
    "eslint/no-useless-assignment": "error",
    "eslint/no-warning-comments": "error",
    "eslint/object-shorthand": "error",
    "eslint/array-callback-return": "error",
    "eslint/default-case-last": "error",
    "eslint/guard-for-in": "error",
    "eslint/radix": "error",
    "eslint/no-await-in-loop": "off", // Order is a promise of this program.
    "eslint/no-underscore-dangle": "off", // Names of others, such as `_destroyed`, are not ours to choose.
    "eslint/no-useless-concat": "off", // Bytes of a protocol are written field by field.
    "eslint/no-control-regex": "off", // Control characters are what such an expression removes.
    "eslint/no-unmodified-loop-condition": "off", // Blind to what a callback changes.
    "eslint/no-unused-vars": [
      "error",
      { ignoreRestSiblings: true, argsIgnorePattern: "^_", varsIgnorePattern: "^_" },
    ],
    "eslint/no-shadow": "off", // Nested functions name the same thing by the same word.
    "oxc/no-map-spread": "off",
    "oxc/no-const-enum": "error",
    "oxc/bad-bitwise-operator": "error",
    "unicorn/consistent-function-scoping": "off", // Factories keep their helpers inside, next to what they close over.
    "unicorn/error-message": "error",
    "unicorn/throw-new-error": "error",
    "unicorn/explicit-timer-delay": "error",
    "unicorn/no-array-sort": "off", // `filter(…).sort(…)` sorts a copy already.
    "unicorn/no-array-reverse": "off",
    "unicorn/no-abusive-eslint-disable": "error",
    "unicorn/no-instanceof-array": "error",
    "unicorn/no-process-exit": "error",
    "unicorn/no-typeof-undefined": "error",
    "unicorn/no-useless-promise-resolve-reject": "error",
    "unicorn/no-unreadable-iife": "error",
    "unicorn/prefer-date-now": "error",
    "unicorn/prefer-math-min-max": "error",
    "unicorn/prefer-number-properties": "error",
    "unicorn/prefer-regexp-test": "error",
    "unicorn/prefer-string-replace-all": "error",
    "unicorn/prefer-string-slice": "error",
    "unicorn/prefer-set-has": "off",
  },
  overrides: [
    {
      files: ["**/*.test.ts", "**/*.contract.ts", "**/testing/**/*.ts", "e2e/**/*.ts"],
      rules: {
        "eslint/no-console": "off",
        "vitest/no-focused-tests": "error",
        "vitest/valid-expect": ["error", { maxArgs: 2 }],
        "vitest/no-identical-title": "error",
        "vitest/expect-expect": "off", // Contracts and fakes assert inside helpers.
        "vitest/no-conditional-expect": "off", // Narrowing a union before looking into it.
        "vitest/no-standalone-expect": "off",
        "vitest/require-mock-type-parameters": "off",
        "vitest/no-mocks-import": "error",
        "vitest/no-restricted-vi-methods": [
          "error",
          {
            mock: "A fake is a real server or a real process, not a replaced module.",
            doMock: "A fake is a real server or a real process, not a replaced module.",
            useFakeTimers: "Time is a dependency: hand in createManualClock().",
          },
        ],
      },
    },
    {
      // Programs, not parts: they print, and some formats ask for a default export.
      files: ["*.config.ts", "build.ts", "tooling/**/*.ts", "bench/**/*.ts", "examples/**/*.ts"],
      rules: {
        "import/no-default-export": "off",
        "eslint/no-console": "off",
        "unicorn/no-process-exit": "off",
      },
    },
    {
      files: ["packages/opentalon/src/cli/**/*.ts"],
      rules: { "unicorn/no-process-exit": "off" },
    },
    {
      // The process of a plugin belongs to the SDK: it keeps stdout clean and decides when to leave.
      files: ["packages/plugin-sdk/**/*.ts", "{plugins,channels}/**/*.ts"],
      rules: { "eslint/no-console": "off", "unicorn/no-process-exit": "off" },
    },
  ],
});
