// effect: figures of this process in /proc/self
// Prometheus' text format 0.0.4. Label values are given in the order of the label names: `requests.add(1, 'GET', '200')`.

export interface Counter {
  add(amount: number, ...labels: readonly string[]): void
  remove(...labels: readonly string[]): void
}
export interface Gauge {
  set(value: number, ...labels: readonly string[]): void
  add(amount: number, ...labels: readonly string[]): void
  remove(...labels: readonly string[]): void
}
export interface Histogram {
  observe(value: number, ...labels: readonly string[]): void
}
export interface Registry {
  /** The same name again answers the same metric. */
  counter(name: string, help: string, labelNames?: readonly string[]): Counter
  /** `collect` is called before each rendering, for values that are known elsewhere. */
  gauge(name: string, help: string, labelNames?: readonly string[], collect?: (gauge: Gauge) => void): Gauge
  histogram(name: string, help: string, buckets: readonly number[], labelNames?: readonly string[]): Histogram
  render(): string
}
export declare function createRegistry(): Registry
