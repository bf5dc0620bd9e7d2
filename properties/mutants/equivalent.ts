/** Mutants that no guest and no user could tell from the engine, and why: they are not drawn. */
export const EQUIVALENT: Readonly<Record<string, string>> = {};
