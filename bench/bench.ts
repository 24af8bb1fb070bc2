/** What a benchmark is asked for on the command line. */
export type BenchOptions = {
  /** only prove that it runs: little work, figures without meaning */
  readonly short: boolean
  /** programs to measure against, by name: `--peer coredns=PATH` */
  readonly peers: ReadonlyMap<string, string>
  /** the benchmark's own options: `--services 1000` */
  readonly own: ReadonlyMap<string, string>
  /** progress, for people */
  say(line: string): void
}

/** Figures by key; a key ends with its unit: `full_ms`, `qps`, `pss_mb`. */
export type Figures = Record<string, number>

export type BenchResult = {
  readonly figures: Figures
  /** the same figures of peers that ran in the same call */
  readonly peers?: Readonly<Record<string, Figures>>
  /** peers, or parts, that could not run here, and why */
  readonly skipped?: readonly string[]
}

/** A file bench/NAME.ts exports this as `bench`. */
export type Bench = { readonly about: string; run(options: BenchOptions): Promise<BenchResult> }

/** The value below which the share `p` (0 to 1) of the samples lies. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN
}
