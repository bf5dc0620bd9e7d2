/**
 * The version of the machine: traces name it.
 */

/** The same as in package.json. */
export const ENGINE_VERSION = '0.1.0';
