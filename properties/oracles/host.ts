/**
 * The processor of the host as an oracle: cases of the user arena run natively in a helper process (host-cpu.c), in
 * 16-, 32- and 64-bit code.
 *
 * What a user process cannot see or have, and how it is dealt with:
 * - flags: IF must be set, IOPL 0, VM, VIF, VIP and RF clear; RF is reported clear (faults save it set);
 * - error codes of page faults: the bit for fetches only where EFER.NXE (with PAE) or CR4.SMEP is set, as it would be;
 * - CR0.TS, CR0.EM, missing CR4.OSFXSR or OSXMMEXCPT, breakpoints in DR7: unsupported. With AC set, CR0.AM must be;
 * - DR6 of a debug exception, and the interrupt shadow: as they were before the case (no shadow);
 * - pointers and opcode of the x87: as before the case unless an exception is pending, their selectors always. What code
 *   stores of them is the processor's;
 * - other segments than Linux's flat ones come from an LDT. Their selectors are replaced by others unless the code
 *   stores selectors: then they must be what the host has (2Bh, 23h in 32-bit code, 33h in 64-bit code, all flat; 7 + 8n
 *   with n < 64 for any descriptor; null);
 * - of segment loads only the faults are supported, for selectors that no table has; what follows a load is not;
 * - END.limit comes after some milliseconds, at no particular tick.
 */
import { readSync, writeSync } from 'node:fs';
import { USER_RECORD_BYTES, USER_WINDOWS } from '../state/arena.js';
import { CPU_STATE_BYTES, CpuState, CS } from '../state/cpu-state.js';
import { HostHelper } from './host-helper.js';
import { CAPACITY, HOST_REASON_TEXTS, REQUEST_BYTES, RESULT, SHARED, STRAY } from './host-layout.js';
import { type CodeFindings, inspectCode } from './host-refusals.js';
import { type CaseBatch, type CodeBits, END, type Oracle, type Outcomes } from './oracle.js';

const CODE = USER_WINDOWS[0]!;

/** Why the host did not run a case (END.unsupported), from its error code. */
export const hostReason = (errorCode: number): string => HOST_REASON_TEXTS[errorCode] ?? `reason ${errorCode}`;

class HostOracle implements Oracle {
  readonly name = 'host';
  readonly countsTicks = false;
  private helper: HostHelper | undefined;
  private readonly request = new Uint32Array(REQUEST_BYTES / 4);
  private readonly head = new Uint8Array(SHARED.results + CAPACITY * RESULT.bytes);
  private readonly headView = new DataView(this.head.buffer);
  /** The helper is at it; its answer has not been read. */
  private begun: CaseBatch | undefined;
  /** Of the last batch: callers ask whether it is refused, then have it run. */
  private inspected: { code: Uint8Array; bits: CodeBits; findings: CodeFindings } | undefined;

  constructor() {
    this.helper = new HostHelper();
  }

  refuses(batch: CaseBatch): string | undefined {
    if (batch.arena !== 'user') return 'the host runs user code only';
    if (batch.windows !== USER_WINDOWS) return 'the windows are not those of the user arena';
    return batch.count === 0 ? undefined : this.inspect(batch).refusal;
  }

  private inspect({ records, bits }: CaseBatch): CodeFindings {
    const state = new CpuState(records.buffer, records.byteOffset);
    const base = bits === 64 ? 0n : state.segmentBase(CS);
    const skipped = Number(BigInt.asIntN(64, state.rip + base - BigInt(CODE.address)));
    const start = skipped > 0 && skipped < CODE.bytes ? skipped : 0;
    const code = records.subarray(CPU_STATE_BYTES + start, CPU_STATE_BYTES + CODE.bytes);
    const last = this.inspected;
    if (last !== undefined && last.bits === bits && Buffer.compare(last.code, code) === 0) return last.findings;
    const findings = inspectCode(code, bits);
    this.inspected = { code: code.slice(), bits, findings };
    return findings;
  }

  begin(batch: CaseBatch): void {
    this.settle();
    if (batch.count === 0 || batch.count > CAPACITY || this.refuses(batch) !== undefined) return;
    this.prepare(batch);
    if (this.send(batch, 0, batch.count)) this.begun = batch;
    else this.close();
  }

  /** What has begun and nobody wants any more comes to its end. */
  private settle(): void {
    if (this.begun !== undefined && this.helper?.isAnswered() !== true) this.close();
    this.begun = undefined;
  }

  run(batch: CaseBatch, outcomes: Outcomes): void {
    if (this.begun !== batch) this.settle();
    outcomes.strayWrites.length = 0;
    const { count } = batch;
    if (count === 0) return;
    const refusal = this.refuses(batch);
    if (refusal !== undefined) throw new Error(`the host cannot run the batch: ${refusal}`);
    outcomes.ticks.fill(0, 0, count);
    this.prepare(batch);
    for (let first = 0; first < count; first += CAPACITY) this.runPart(batch, outcomes, first, Math.min(CAPACITY, count - first));
  }

  /** The request, but for the number of cases. */
  private prepare(batch: CaseBatch): void {
    const { readsSelectors, loadedSegments } = this.inspect(batch);
    this.request.set([0, batch.bits, Number(readsSelectors), loadedSegments, 0, 0, 1]);
  }

  private send({ records }: CaseBatch, first: number, count: number): boolean {
    this.request[0] = count;
    this.helper ??= new HostHelper();
    writeSync(this.helper.memory, records, first * USER_RECORD_BYTES, count * USER_RECORD_BYTES, SHARED.records);
    return this.helper.send(new Uint8Array(this.request.buffer));
  }

  private runPart(batch: CaseBatch, outcomes: Outcomes, first: number, count: number): void {
    const from = first * USER_RECORD_BYTES;
    const bytes = count * USER_RECORD_BYTES;
    for (let again = 0; ; again++) {
      const isSent = this.begun === batch || this.send(batch, first, count);
      this.begun = undefined;
      if (isSent && this.helper?.isAnswered() === true) break;
      this.close();
      if (again === 1) throw new Error('the helper of the host oracle dies with its supervisor');
    }
    const { memory } = this.helper as HostHelper;
    const { head, headView } = this;
    readSync(memory, head, 0, SHARED.results + count * RESULT.bytes, 0);
    readSync(memory, outcomes.records, from, bytes, SHARED.records);
    for (let i = 0; i < count; i++) {
      const at = SHARED.results + i * RESULT.bytes;
      const end = head[at + RESULT.end]!;
      outcomes.ends[first + i] = end;
      outcomes.vectors[first + i] = head[at + RESULT.vector]!;
      outcomes.errorCodes[first + i] =
        end === END.unsupported ? head[at + RESULT.reason]! : headView.getUint32(at + RESULT.errorCode, true);
    }
    const strays = headView.getUint32(SHARED.strayCount, true);
    if (strays > 0) this.readStrays(strays, first, outcomes);
  }

  private readStrays(count: number, first: number, outcomes: Outcomes): void {
    const triples = new Uint32Array((count * STRAY.bytes) / 4);
    readSync(this.helper!.memory, triples, 0, triples.byteLength, SHARED.strays);
    for (let i = 0; i < triples.length; i += 3) outcomes.strayWrites.push(first + triples[i]!, triples[i + 1]!, triples[i + 2]!);
  }

  /** The process that runs the cases; its supervisor starts another when it dies. */
  get workerProcess(): number {
    const word = new Uint32Array(1);
    readSync(this.helper!.memory, word, 0, 4, SHARED.worker);
    return word[0]!;
  }

  close(): void {
    this.helper?.close();
    this.helper = undefined;
    this.begun = undefined;
  }
}

export type { HostOracle };

/** Throws an error of one line where there can be none: no compiler, no Linux on x86-64. */
export const createHostOracle = (): HostOracle => new HostOracle();
