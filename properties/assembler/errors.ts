/** What the assembler says when a program cannot be assembled: one line that names the instruction or label. */
export class AssemblyError extends Error {
  override readonly name = 'AssemblyError';
}
