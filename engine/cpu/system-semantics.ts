/** All host instructions of this house, by name: what the instruction table refers to. */
import { x87Semantics } from '../isa/x87/host-instructions.js';
import { controlSemantics } from './control-instructions.js';
import { cpuidSemantics } from './cpuid.js';
import { debugSemantics } from './debug.js';
import { descriptorTableSemantics } from './descriptor-table-instructions.js';
import { farReturnSemantics } from './far-return.js';
import { farTransferSemantics } from './far-transfer.js';
import { flagSemantics } from './flag-instructions.js';
import type { HostSemantics } from './host-instruction.js';
import { msrSemantics } from './msr.js';
import { portSemantics } from './port-instructions.js';
import { segmentSemantics } from './segment-instructions.js';
import { softwareInterruptSemantics } from './software-interrupts.js';
import { stackAndExchangeSemantics } from './stack-and-exchange.js';
import { stringPortSemantics } from './string-port-instructions.js';
import { sysenterSemantics } from './sysenter.js';

export const systemSemantics: Readonly<Record<string, HostSemantics>> = {
  ...farTransferSemantics,
  ...farReturnSemantics,
  ...softwareInterruptSemantics,
  ...segmentSemantics,
  ...flagSemantics,
  ...descriptorTableSemantics,
  ...controlSemantics,
  ...debugSemantics,
  ...msrSemantics,
  ...cpuidSemantics,
  ...portSemantics,
  ...stringPortSemantics,
  ...sysenterSemantics,
  ...stackAndExchangeSemantics,
  ...x87Semantics,
};
