/** Bytes as people read them: in hexadecimal, with a space between two. */
export const bytesText = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
