/** The server wants somebody to sign in, and nobody has. */
export class NeedsSignIn extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NeedsSignIn";
  }
}
