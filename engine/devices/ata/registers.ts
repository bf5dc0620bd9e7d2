/**
 * Registers, bits, command codes and times of the ATA interface (ATA/ATAPI-6, chapters 7 and 8).
 */

/** Offsets in the command block, 1F0h or 170h (ATA/ATAPI-6, table 2 "Device addressing"). */
export const REGISTER = {
  data: 0,
  errorOrFeatures: 1,
  sectorCount: 2,
  lbaLow: 3,
  lbaMid: 4,
  lbaHigh: 5,
  device: 6,
  statusOrCommand: 7,
} as const;

/** Status register (7.15). */
export const STATUS = { error: 0x01, dataRequest: 0x08, seekComplete: 0x10, ready: 0x40, busy: 0x80 } as const;

/** Error register (7.9). */
export const ERROR = { abort: 0x04, idNotFound: 0x10, diagnosticPassed: 0x01 } as const;

/** Device control register (7.8). */
export const CONTROL = { interruptDisable: 0x02, softReset: 0x04, highOrderByte: 0x80 } as const;

/** Device register (7.7). */
export const DEVICE = { second: 0x10, lba: 0x40, obsoleteOnes: 0xa0 } as const;

/** Interrupt reason, in the sector count register of a packet device (7.11). */
export const REASON = { command: 0x01, toHost: 0x02 } as const;

export const SECTOR_BYTES = 512;

/** Command codes (ATA/ATAPI-6, table 20 and clause 8). */
export const COMMAND = {
  deviceReset: 0x08,
  recalibrate: 0x10,
  readSectors: 0x20,
  readSectorsNoRetry: 0x21,
  readSectorsExt: 0x24,
  readDmaExt: 0x25,
  readNativeMaxExt: 0x27,
  readMultipleExt: 0x29,
  writeSectors: 0x30,
  writeSectorsNoRetry: 0x31,
  writeSectorsExt: 0x34,
  writeDmaExt: 0x35,
  writeMultipleExt: 0x39,
  writeVerify: 0x3c,
  verify: 0x40,
  verifyNoRetry: 0x41,
  verifyExt: 0x42,
  seek: 0x70,
  executeDiagnostic: 0x90,
  initializeParameters: 0x91,
  packet: 0xa0,
  identifyPacketDevice: 0xa1,
  readMultiple: 0xc4,
  writeMultiple: 0xc5,
  setMultiple: 0xc6,
  readDma: 0xc8,
  readDmaNoRetry: 0xc9,
  writeDma: 0xca,
  writeDmaNoRetry: 0xcb,
  standbyImmediate: 0xe0,
  idleImmediate: 0xe1,
  standby: 0xe2,
  idle: 0xe3,
  readBuffer: 0xe4,
  checkPowerMode: 0xe5,
  sleep: 0xe6,
  flushCache: 0xe7,
  writeBuffer: 0xe8,
  flushCacheExt: 0xea,
  identifyDevice: 0xec,
  setFeatures: 0xef,
  readNativeMax: 0xf8,
} as const;

/**
 * Virtual time a drive takes. Fixed, so that runs repeat; never zero, so that no interrupt arrives inside the OUT
 * that asked for it.
 */
export const TIME = {
  /** From the write of a command, a packet or the last word of a block until the drive has made up its mind. */
  commandNs: 20_000,
  /** A sector of 512 bytes to or from the medium: 33 MB/s. */
  sectorNs: 15_000,
  /** From the end of a reset until BSY goes away. */
  resetNs: 100_000,
  /** From the start bit of the bus master until its first bus cycle. */
  busMasterStartNs: 1_000,
} as const;
