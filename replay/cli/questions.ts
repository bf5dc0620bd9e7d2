/** What `replay86 query` can be asked. */
export const QUESTIONS = [
  'last-write',
  'first-write',
  'writes',
  'reads',
  'accesses',
  'executions',
  'calls',
  'interrupts',
  'inputs',
  'console',
] as const;

export type QuestionName = (typeof QUESTIONS)[number];
