/**
 * Looks at linear memory from outside: through the page tables as they stand (Intel SDM volume 3, sections 4.3 and 4.4),
 * without accessed bits, faults or devices. For debuggers.
 */
import * as layout from '../cpu/layout.js';
import { type CpuState, CR0, CR4 } from '../cpu/state.js';
import type { PhysicalMemory } from './physical-memory.js';

const PRESENT = 1;
const LARGE = 128;

/** Physical address of a linear one; undefined where no page is present. */
export function peekTranslation(state: CpuState, physical: PhysicalMemory, linear: number): number | undefined {
  const low = (address: number): number => peekWord(physical, address);
  if ((state.cr0 & CR0.pg) === 0) return (linear & physical.a20Mask) >>> 0;
  const offset = linear & 0xfff;
  if ((state.cr4 & CR4.pae) === 0) {
    const pde = low((state.cr3 & 0xffff_f000) + ((linear >>> 22) << 2));
    if ((pde & PRESENT) === 0) return undefined;
    if (pde & LARGE && state.cr4 & CR4.pse)
      return ((pde & 0xffc0_0000) >>> 0) + ((pde >>> 13) & 15) * 0x1_0000_0000 + (linear & 0x003f_ffff);
    const pte = low(((pde & 0xffff_f000) >>> 0) + (((linear >>> 12) & 0x3ff) << 2));
    return pte & PRESENT ? ((pte & 0xffff_f000) >>> 0) + offset : undefined;
  }
  const wide = (address: number): number => ((low(address) & 0xffff_f000) >>> 0) + (low(address + 4) & 15) * 0x1_0000_0000;
  const register = (layout.PDPTE >>> 2) + (linear >>> 30) * 2;
  if (((state.u32[register] as number) & PRESENT) === 0) return undefined;
  const directory = (((state.u32[register] as number) & 0xffff_f000) >>> 0) + ((state.u32[register + 1] as number) & 15) * 0x1_0000_0000;
  const pdeAddress = directory + (((linear >>> 21) & 0x1ff) << 3);
  const pde = low(pdeAddress);
  if ((pde & PRESENT) === 0) return undefined;
  // Bits 12-20 of a 2 MiB page's entry are no address.
  if (pde & LARGE) return wide(pdeAddress) - (pde & 0x001f_f000) + (linear & 0x001f_ffff);
  const pteAddress = wide(pdeAddress) + (((linear >>> 12) & 0x1ff) << 3);
  return low(pteAddress) & PRESENT ? wide(pteAddress) + offset : undefined;
}

function peekWord(physical: PhysicalMemory, address: number): number {
  const bytes = physical.peek(address, 4);
  return bytes === undefined
    ? 0xffff_ffff
    : ((bytes[0] as number) | ((bytes[1] as number) << 8) | ((bytes[2] as number) << 16) | ((bytes[3] as number) << 24)) >>> 0;
}

/** Bytes from an address on, page by page, up to the first without storage. */
export function peekRange(
  address: number,
  bytes: number,
  translate: (address: number) => number | undefined,
  physical: PhysicalMemory,
): Uint8Array {
  const result = new Uint8Array(bytes);
  let done = 0;
  while (done < bytes) {
    const at = address + done;
    const target = translate(at);
    const part = target === undefined ? undefined : physical.peek(target, Math.min(bytes - done, 0x1000 - (at & 0xfff)));
    if (part === undefined) break;
    result.set(part, done);
    done += part.length;
  }
  return result.subarray(0, done);
}
