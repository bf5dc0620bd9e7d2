import { describe, expect, it } from 'vitest';
import { childSeconds, cpuRatio, type LinuxResult, linuxTable } from './linux.js';
import { disagreement, geometricMean, type KernelResult, meanRatio, median, speedRatio, summarise, table } from './report.js';
import { Markers } from './runners/markers.js';

describe('figures', () => {
  it('takes the median', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeUndefined();
  });
  it('takes the geometric mean', () => {
    expect(geometricMean([1, 4])).toBeCloseTo(2, 12);
    expect(geometricMean([])).toBeUndefined();
  });
  it('leaves out rounds that could not be timed', () => {
    const measurements = [
      { seconds: undefined, checksum: 'aa' },
      { seconds: 2, checksum: 'aa' },
    ];
    expect(summarise('x', measurements)).toEqual({ runner: 'x', checksum: 'aa', seconds: 2, roundSeconds: [undefined, 2] });
  });
  it('refuses rounds that differ', () => {
    const measurements = [
      { seconds: 1, checksum: 'aa' },
      { seconds: 1, checksum: 'ab' },
    ];
    expect(() => summarise('x', measurements)).toThrow('x: rounds with different checksums aa, ab');
  });
});

const kernel = (name: string, figures: Record<string, [number | undefined, string]>): KernelResult => ({
  kernel: name,
  title: name,
  iterations: 1,
  results: Object.entries(figures).map(([runner, [seconds, checksum]]) => ({
    runner,
    seconds,
    checksum,
    roundSeconds: [seconds],
    instructions: 3e6,
  })),
});

describe('comparison', () => {
  const results = [
    kernel('one', { own: [1, 'aa'], other: [4, 'aa'] }),
    kernel('two', { own: [2, 'aa'], other: [2, 'bb'] }),
    kernel('three', { own: [1, 'aa'], other: [undefined, 'aa'] }),
  ];
  it('is their time in terms of ours', () => {
    expect(results.map((result) => speedRatio(result, 'own', 'other'))).toEqual([4, 1, undefined]);
    expect(meanRatio(results, 'own', 'other')).toBeCloseTo(2, 12);
  });
  it('finds checksums that differ', () => {
    expect(results.map(disagreement)).toEqual([undefined, 'two: checksums differ: own aa, other bb', undefined]);
  });
  it('is printed as a table', () => {
    const columns = [
      { name: 'own', title: 'own' },
      { name: 'other', title: 'other' },
    ];
    expect(table(results, columns, 'own').split('\n')).toEqual([
      'kernel          own s  other s  own MIPS  other MIPS  vs other',
      '--------------------------------------------------------------',
      'one             1.000    4.000         3           1     4.00x',
      'two             2.000    2.000         2           2     1.00x',
      'three           1.000        -         3           -         -',
      '--------------------------------------------------------------',
      'geometric mean                         2           1     2.00x',
    ]);
  });
});

describe('markers', () => {
  const clock = () => {
    let reads = 0;
    return () => ({ seconds: ++reads, instructions: reads * 100 });
  };
  it('time what lies between the name and the newline', () => {
    const markers = new Markers('sort', clock());
    for (const piece of ['SeaBIOS\r\nBooting..so', 'rt ', '0123', 'abcd\n', 'more']) markers.accept(piece);
    expect(markers.result()).toEqual({ seconds: 1, instructions: 100, checksum: '0123abcd' });
  });
  it('do not time what comes in one piece', () => {
    const markers = new Markers('sort', clock());
    markers.accept('sort 0123abcd\n');
    expect(markers.result().seconds).toBeUndefined();
  });
  it('refuse what is no checksum, and silence', () => {
    const markers = new Markers('sort', clock());
    markers.accept('sort ');
    expect(() => markers.accept('unexpected exception\n')).toThrow('the kernel printed "unexpected exception" instead of a checksum');
    expect(() => new Markers('sort', clock()).result()).toThrow('stopped before the kernel was done');
  });
});

describe('the Linux boot', () => {
  const result = (name: string, seconds: readonly number[], logBytes?: number): LinuxResult => ({
    name,
    cpuSeconds: median(seconds) as number,
    wallSeconds: 9,
    rounds: seconds.map((cpuSeconds) => ({ cpuSeconds, wallSeconds: 9 })),
    ...(logBytes === undefined ? {} : { logBytes }),
  });
  const results = [result('run', [10, 20, 40]), result('record', [11, 21, 41], 1234), result('replay', [11, 21], 1234)];

  it("reads the shell's times", () => {
    expect(childSeconds('0m0.00s 0m0.00s\n1m5.32s 0m0.190000s\n')).toBeCloseTo(65.51, 9);
    expect(() => childSeconds('0m0.00s 0m0.00s\n')).toThrow('not what `times` prints');
  });

  it('compares medians', () => {
    expect(cpuRatio(results, 'record', 'run')).toBe(1.05);
    expect(cpuRatio(results, 'replay', 'record')).toBeCloseTo(16 / 21, 12);
    expect(cpuRatio(results, 'QEMU', 'run')).toBeUndefined();
    expect(linuxTable({ boot: 'x', title: 'a boot', results }).split('\n')).toEqual([
      'a boot',
      '                     CPU s      wall s  CPU to run   log bytes',
      'run                  20.00        9.00       1.00x',
      'record               21.00        9.00       1.05x        1234',
      'replay               16.00        9.00       0.80x        1234',
      'recording over running: 5.0 %',
      'replaying over recording: -23.8 %',
    ]);
  });
});
