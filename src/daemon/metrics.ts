// effect: figures of this process in /proc/self
// Prometheus' text format 0.0.4. Label values are given in the order of the label names: `requests.add(1, 'GET', '200')`.
import { processMetrics } from '#daemon/process-metrics.ts'

export interface Counter {
  add(amount: number, ...labels: readonly string[]): void
  remove(...labels: readonly string[]): void
  /** The same counter with its labels given: adding is then an addition and nothing more. */
  labelled(...labels: readonly string[]): { add(amount: number): void }
}
export interface Gauge {
  set(value: number, ...labels: readonly string[]): void
  add(amount: number, ...labels: readonly string[]): void
  remove(...labels: readonly string[]): void
  /** Forgets all values, of whatever labels. */
  clear(): void
}
export interface Histogram {
  observe(value: number, ...labels: readonly string[]): void
  /** The same histogram with its labels given. */
  labelled(...labels: readonly string[]): { observe(value: number): void }
}
export interface Registry {
  /** The same name again answers the same metric. */
  counter(name: string, help: string, labelNames?: readonly string[]): Counter
  /** `collect` is called before each rendering, for values that are known elsewhere. */
  gauge(name: string, help: string, labelNames?: readonly string[], collect?: (gauge: Gauge) => void): Gauge
  /** `buckets` are upper bounds in rising order, without +Inf. */
  histogram(name: string, help: string, buckets: readonly number[], labelNames?: readonly string[]): Histogram
  render(): string
}

/** Bounds in seconds that suit requests and rule updates: 0.1 ms to 10 s. */
export const secondsBuckets = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

type Kind = 'counter' | 'gauge' | 'histogram'
type Bins = { readonly counts: Float64Array; sum: number }
type Metric = {
  readonly kind: Kind
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
  readonly buckets: readonly number[]
  readonly collect: (() => void) | undefined
  /** rendered label set (`a="1",b="2"`) -> value or bins */
  readonly values: Map<string, number>
  readonly bins: Map<string, Bins>
  readonly handle: Omit<Counter & Gauge & Histogram, 'labelled'> & {
    labelled(...labels: readonly string[]): { add(amount: number): void; observe(value: number): void }
  }
}

/** A new registry; it has the figures of the process (process_*) from the start. */
export function createRegistry(): Registry {
  const metrics = new Map<string, Metric>()
  const define = (
    kind: Kind,
    name: string,
    help: string,
    labelNames: readonly string[] = [],
    buckets: readonly number[] = [],
    collect?: (gauge: Gauge) => void,
  ): Metric => {
    const known = metrics.get(name)
    if (known !== undefined) {
      if (known.kind !== kind || known.labelNames.join() !== labelNames.join())
        throw new Error(`metric ${name} is a ${known.kind} of (${known.labelNames.join()}) already`)
      return known
    }
    const metric = createMetric(kind, name, help, labelNames, buckets, collect)
    // A metric without labels is there from the start, with 0, as Prometheus wants it.
    if (labelNames.length === 0 && kind !== 'gauge') metric.handle.add(0)
    metrics.set(name, metric)
    return metric
  }
  const registry: Registry = {
    counter: (name, help, labelNames) => define('counter', name, help, labelNames).handle,
    gauge: (name, help, labelNames, collect) => define('gauge', name, help, labelNames, [], collect).handle,
    histogram: (name, help, buckets, labelNames) => define('histogram', name, help, labelNames, buckets).handle,
    render() {
      for (const metric of metrics.values()) metric.collect?.()
      return [...metrics.keys()]
        .sort()
        .map((name) => renderMetric(metrics.get(name)!))
        .join('')
    },
  }
  processMetrics(registry)
  return registry
}

function createMetric(
  kind: Kind,
  name: string,
  help: string,
  labelNames: readonly string[],
  buckets: readonly number[],
  collect?: (gauge: Gauge) => void,
): Metric {
  const values = new Map<string, number>()
  const bins = new Map<string, Bins>()
  const keyOf = (labels: readonly string[]) => {
    if (labels.length !== labelNames.length)
      throw new Error(`metric ${name} has labels (${labelNames.join()}), not ${labels.length} values`)
    return labels.length === 0 ? '' : labels.map((value, i) => `${labelNames[i]}="${escapeLabel(value)}"`).join()
  }
  const binsOf = (key: string) => {
    let found = bins.get(key)
    if (found === undefined) bins.set(key, (found = { counts: new Float64Array(buckets.length + 1), sum: 0 }))
    return found
  }
  const observeIn = (found: Bins, value: number) => {
    let bucket = 0
    while (bucket < buckets.length && value > buckets[bucket]!) bucket++
    found.counts[bucket]!++
    found.sum += value
  }
  const handle: Metric['handle'] = {
    set: (value, ...labels) => void values.set(keyOf(labels), value),
    add(amount, ...labels) {
      const key = keyOf(labels)
      if (kind === 'histogram') binsOf(key)
      else values.set(key, (values.get(key) ?? 0) + amount)
    },
    remove(...labels) {
      values.delete(keyOf(labels))
    },
    clear: () => values.clear(),
    observe(value, ...labels) {
      observeIn(binsOf(keyOf(labels)), value)
    },
    labelled(...labels) {
      const key = keyOf(labels)
      const found = kind === 'histogram' ? binsOf(key) : undefined
      return {
        add: (amount) => void values.set(key, (values.get(key) ?? 0) + amount),
        observe: (value) => found && observeIn(found, value),
      }
    },
  }
  return { kind, name, help, labelNames, buckets, values, bins, handle, collect: collect && (() => collect(handle)) }
}

function renderMetric({ kind, name, help, buckets, values, bins }: Metric): string {
  const lines = [`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${kind}`]
  for (const [labels, value] of values) lines.push(`${name}${braced(labels)} ${number(value)}`)
  for (const [labels, { counts, sum }] of bins) {
    const before = labels === '' ? '' : `${labels},`
    let count = 0
    for (const [i, inBucket] of counts.entries()) {
      count += inBucket
      lines.push(`${name}_bucket{${before}le="${i < buckets.length ? buckets[i] : '+Inf'}"} ${count}`)
    }
    lines.push(`${name}_sum${braced(labels)} ${number(sum)}`, `${name}_count${braced(labels)} ${count}`)
  }
  return `${lines.join('\n')}\n`
}

const braced = (labels: string) => (labels === '' ? '' : `{${labels}}`)
const number = (value: number) =>
  Number.isFinite(value) ? String(value) : Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
const escapeLabel = (value: string) =>
  /["\\\n]/.test(value)
    ? value
        .replaceAll('\\', '\\\\')
        .replaceAll('"', '\\"')
        .replaceAll('\n', String.raw`\n`)
    : value
