/**
 * The guest that tests run: assembled from test-guest.s, which says what it does.
 */
const IMAGE =
  'ArCtGwAAAQD+T1HkAAAQAAAAEAAgARAAIAEQACAAEAC8AAAJAA8BFfIAEADqMwAQAAgAuBAAAACO2I7AjtC4xQAQAKMAgQAAowSBAADHBQKBAAAIAACODwEd' +
  '+AAQAL7SABAAD7cWhdJ0CYpGAu6DxgPr8LA+6DgAAAD79Ga6/QPsqAF09Wa6+APsPHF0EzxodBM8dHQRPHN0FegTAAAA69mwA+b0+vQPAR3+ABAAzEPr/YjE' +
  'Zrr9A+yoIHT7iOBmuvgD7sNQ/wUAkAAAsCDmIFjPIAARIQAgIQAEIQABIQD+QwA0QACpQAAE+QMA+wMDAAAXAAgBEAD/BwCAAAAAAAAAAACNdCYAAAAAAAAA' +
  'AAD//wAAAJvPAP//AAAAk88A';

/** A multiboot image. */
export function testGuest(): Uint8Array {
  return Uint8Array.from(atob(IMAGE), (character) => character.charCodeAt(0));
}
