/** What the benchmark knows of a machine that can run a kernel. */

/** One timed run of a kernel. */
export interface Measurement {
  /** Between the two markers on the serial port; undefined when both came in one piece and cannot be told apart. */
  readonly seconds: number | undefined;
  /** Eight hex digits. */
  readonly checksum: string;
  /** Guest instructions between the markers, as this machine counts them. */
  readonly instructions?: number;
}

export interface Job {
  readonly kernel: string;
  readonly iterations: number;
}

/** Runs a kernel once in this process, start-up included but not timed. */
export type MeasureHere = (job: Job) => Promise<Measurement>;

export interface Runner {
  readonly name: string;
  /** Heading in the table. */
  readonly title: string;
  /** Why it cannot run here, or undefined when it can. */
  unavailable(): Promise<string | undefined>;
  /** Runs the kernel once for each round; `onRound` hears of each before it starts. */
  measure(job: Job, rounds: number, onRound: (round: number) => void): Promise<Measurement[]>;
}
