/** Positions in lists that ascend. */

/** The first position from which on it holds; `length` if it holds nowhere. */
export function firstWhere(length: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Position of the first value that is not below `value`. */
export const firstAtOrAfter = (values: ArrayLike<number>, value: number): number =>
  firstWhere(values.length, (index) => (values[index] as number) >= value);

/** Position of the last one at or before a tick; -1 for none. */
export const lastAtOrBefore = (items: readonly { readonly tick: number }[], tick: number): number =>
  firstWhere(items.length, (index) => (items[index] as { readonly tick: number }).tick > tick) - 1;
