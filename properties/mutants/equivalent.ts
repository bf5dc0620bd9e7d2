/** Mutants that no guest and no user could tell from the engine, and why: they are not drawn. */
export const EQUIVALENT: Readonly<Record<string, string>> = {
  'isa/shifts greater 1': 'a rotation of 32 bits made of two shifts is the same rotation',
  'isa/shifts greater 2': 'a rotation of 32 bits made of two shifts is the same rotation',
  'devices/pit-counter time-rounded 1': 'an alarm that comes a pulse early finds nothing to do and is set again',
  'wasm/module-builder greater 1': 'a type that is listed twice is the same type',
  'cpu/code-segments bit-beside 1': 'a flat code segment then has a number like any other: the same blocks under another key',
  'devices/i8042 line-kept 4': 'commands change neither interrupt enable; an answer drives the lines itself',
  'isa/data-movement width-16-32 1': 'SAHF looks at bits 8 to 15 of EAX alone',
  'devices/keyboard-layout greater 1': 'no key has the number 0 behind the prefix',
  'devices/keyboard-layout greater 2': 'no key has the number 0 behind the prefix',
  'boot/linux greater-or-equal 2': 'an image without its magic number, which lies behind, is refused before',
};
