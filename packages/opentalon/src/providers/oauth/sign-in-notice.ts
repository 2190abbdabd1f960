/** What a person is to do so that a sign-in goes on. All texts come from the server: print them with care. */
export type SignInNotice =
  | {
      readonly kind: "device";
      /** To be typed at `url`. */
      readonly code: string;
      readonly url: string;
      /** The address with the code in it. */
      readonly completeUrl: string | undefined;
      readonly lifetimeMs: number;
    }
  | { readonly kind: "browser"; readonly url: string };
