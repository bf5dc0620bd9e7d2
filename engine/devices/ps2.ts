/** The serial link between the keyboard controller and a keyboard or mouse (IBM PS/2 Technical Reference). */
export interface Ps2Device {
  /** The device has something to send. */
  readonly hasByte: boolean;
  /** The next byte of the device; only called while `hasByte`. */
  takeByte(): number;
  /** A byte from the host. */
  receiveByte(byte: number): void;
  /** Set by the controller: `hasByte` may have become true. */
  onByteReady: (() => void) | undefined;
}

/** Replies that keyboards and mice have in common. */
export const PS2_ACKNOWLEDGE = 0xfa;
export const PS2_RESEND = 0xfe;
export const PS2_SELF_TEST_PASSED = 0xaa;
