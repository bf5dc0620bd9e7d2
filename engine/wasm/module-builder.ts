/** Puts a WebAssembly module together (core specification, section 5.5). One imported memory, at most one table. */
import { type Bytes, name, unsignedLeb } from './bytes.js';
import { FunctionBuilder, type FunctionReference, type FunctionType } from './function-builder.js';
import { memoryLimits } from './memory-pages.js';

const SECTION = { type: 1, import: 2, function: 3, table: 4, export: 7, element: 9, code: 10 } as const;

export class ModuleBuilder {
  private readonly types: string[] = [];
  private readonly imports: { module: string; field: string; typeIndex: number }[] = [];
  private readonly functions: { typeIndex: number; body: Uint8Array | undefined }[] = [];
  private readonly exports: { field: string; index: number }[] = [];
  private tableFunctions: readonly FunctionReference[] = [];

  constructor(private readonly memory: { module: string; field: string; pages: number }) {}

  typeIndex(type: FunctionType): number {
    const code = [
      0x60,
      ...unsignedLeb(type.parameters.length),
      ...type.parameters,
      ...unsignedLeb(type.results.length),
      ...type.results,
    ].join();
    const known = this.types.indexOf(code);
    return known >= 0 ? known : this.types.push(code) - 1;
  }

  /** Imports come before all functions. */
  importFunction(module: string, field: string, type: FunctionType): FunctionReference {
    if (this.functions.length > 0) throw new Error('imports must be declared before functions');
    this.imports.push({ module, field, typeIndex: this.typeIndex(type) });
    return { index: this.imports.length - 1, type };
  }

  /** Reserves an index, so that functions may call each other whatever the order they are built in. */
  declare(type: FunctionType): FunctionReference {
    this.functions.push({ typeIndex: this.typeIndex(type), body: undefined });
    return { index: this.imports.length + this.functions.length - 1, type };
  }

  define(reference: FunctionReference, build: (f: FunctionBuilder) => void): void {
    const slot = this.functions[reference.index - this.imports.length];
    if (slot === undefined || slot.body !== undefined) throw new Error('this function cannot be defined');
    const builder = new FunctionBuilder(reference.type);
    build(builder);
    slot.body = builder.finish();
  }

  function(type: FunctionType, build: (f: FunctionBuilder) => void): FunctionReference {
    const reference = this.declare(type);
    this.define(reference, build);
    return reference;
  }

  export(field: string, reference: FunctionReference): void {
    this.exports.push({ field, index: reference.index });
  }

  /** Table 0, for `call_indirect`: entry i is functions[i]. */
  table(functions: readonly FunctionReference[]): void {
    this.tableFunctions = functions;
  }

  finish(): Uint8Array {
    const chunks: (Bytes | Uint8Array)[] = [[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]];
    const section = (id: number, items: readonly (Bytes | Uint8Array)[]): void => {
      if (items.length === 0) return;
      const count = unsignedLeb(items.length);
      chunks.push([id, ...unsignedLeb(count.length + totalLength(items)), ...count], ...items);
    };
    section(
      SECTION.type,
      this.types.map((type) => type.split(',').map(Number)),
    );
    section(SECTION.import, [
      ...this.imports.map((entry) => [...name(entry.module), ...name(entry.field), 0x00, ...unsignedLeb(entry.typeIndex)]),
      [...name(this.memory.module), ...name(this.memory.field), 0x02, ...memoryLimits(this.memory.pages)],
    ]);
    section(
      SECTION.function,
      this.functions.map((entry) => unsignedLeb(entry.typeIndex)),
    );
    if (this.tableFunctions.length > 0) section(SECTION.table, [[0x70, 0x00, ...unsignedLeb(this.tableFunctions.length)]]);
    section(
      SECTION.export,
      this.exports.map((entry) => [...name(entry.field), 0x00, ...unsignedLeb(entry.index)]),
    );
    if (this.tableFunctions.length > 0) {
      section(SECTION.element, [
        [
          0x00,
          0x41,
          0x00,
          0x0b,
          ...unsignedLeb(this.tableFunctions.length),
          ...this.tableFunctions.flatMap((entry) => unsignedLeb(entry.index)),
        ],
      ]);
    }
    section(
      SECTION.code,
      this.functions.map((entry, index) => {
        if (entry.body === undefined) throw new Error(`function ${index} was declared but not defined`);
        return entry.body;
      }),
    );
    const out = new Uint8Array(totalLength(chunks));
    let at = 0;
    for (const chunk of chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return out;
  }
}

function totalLength(chunks: readonly ArrayLike<number>[]): number {
  return chunks.reduce((length, chunk) => length + chunk.length, 0);
}
