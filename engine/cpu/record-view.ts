/** A decoded record as a host instruction sees it. One object serves all: it is valid during one call. */
import type { Form } from '../isa/definition.js';
import { ADDRESSING, RECORD } from '../isa/record.js';
import type { HostInstruction } from './host-instruction.js';
import { CODE_PAGE_EIP, REGISTERS } from './layout.js';
import type { CpuState } from './state.js';

export class RecordView implements HostInstruction {
  private record = 0;
  private form!: Form;

  constructor(private readonly state: CpuState) {}

  select(record: number, form: Form): this {
    this.record = record;
    this.form = form;
    return this;
  }

  get operandSize(): number {
    return this.form.operandSize;
  }
  get addressSize(): number {
    const narrow = (this.byte(RECORD.addressing) & ADDRESSING.narrow) !== 0;
    if (this.form.long) return narrow ? 32 : 64;
    return narrow ? 16 : 32;
  }
  get reg(): number {
    return this.byte(RECORD.reg);
  }
  get rm(): number {
    return this.byte(RECORD.rm);
  }
  get memory(): boolean {
    return this.form.memory;
  }
  get segment(): number {
    return this.byte(RECORD.addressing) & ADDRESSING.segment;
  }
  get offset(): number {
    const { state } = this;
    if (this.form.long) {
      const slot = (field: number): bigint => state.i64[(REGISTERS + this.byte(field)) >>> 3] as bigint;
      const sum = slot(RECORD.base) + (slot(RECORD.index) << BigInt(this.byte(RECORD.scale))) + BigInt(this.word(RECORD.displacement));
      return Number(this.addressSize === 32 ? BigInt.asUintN(32, sum) : BigInt.asIntN(64, sum));
    }
    const base = state.get32(REGISTERS + this.byte(RECORD.base));
    const index = state.get32(REGISTERS + this.byte(RECORD.index)) << this.byte(RECORD.scale);
    const sum = (base + index + this.word(RECORD.displacement)) >>> 0;
    return this.addressSize === 16 ? sum & 0xffff : sum;
  }
  get immediate(): number {
    return this.word(RECORD.immediate);
  }
  get immediate2(): number {
    return this.word(RECORD.displacement);
  }
  get eip(): number {
    return (this.state.get32(CODE_PAGE_EIP) + (this.state.u16[(this.record + RECORD.offset) >>> 1] as number)) >>> 0;
  }
  get repeat(): boolean {
    return this.form.repeat !== 0;
  }
  get length(): number {
    return this.byte(RECORD.length);
  }

  private byte(field: number): number {
    return this.state.u8[this.record + field] as number;
  }
  private word(field: number): number {
    return this.state.i32[(this.record + field) >>> 2] as number;
  }
}
