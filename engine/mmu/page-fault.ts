/** Page faults: CR2 and the error code (Intel SDM volume 3, section 4.7). */
import { GuestException, VECTOR } from '../cpu/exceptions.js';
import * as layout from '../cpu/layout.js';
import { EFER_NXE } from '../cpu/msr.js';
import { type CpuState, CR4 } from '../cpu/state.js';

export const PAGE_FAULT = { present: 1, write: 2, user: 4, reserved: 8, fetch: 16 } as const;

export interface Access {
  readonly write: boolean;
  readonly user: boolean;
  readonly fetch: boolean;
}

/** @param cause bits of PAGE_FAULT besides those that the access gives */
export function pageFault(state: CpuState, access: Access, cause: number): GuestException {
  const noExecute = (state.cr4 & CR4.pae) !== 0 && (state.get32(layout.EFER) & EFER_NXE) !== 0;
  return new GuestException(
    VECTOR.pageFault,
    cause |
      (access.write ? PAGE_FAULT.write : 0) |
      (access.user ? PAGE_FAULT.user : 0) |
      (access.fetch && noExecute ? PAGE_FAULT.fetch : 0),
  );
}

/** A page that no page table can map: linear addresses of 64-bit code from 4 GiB on. Sets CR2. */
export function pageAbsent(state: CpuState, linear: bigint, access: Access): GuestException {
  state.i64[layout.CR2 >>> 3] = linear;
  return pageFault(state, access, 0);
}
