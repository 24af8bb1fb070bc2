// The proxy's metrics, under kube-proxy's names.
import type { Counter, Gauge, Histogram, Registry } from '#daemon/metrics.ts'

export type ProxyMetrics = {
  readonly sync: Histogram
  readonly syncWhole: Histogram
  readonly syncPartial: Histogram
  readonly lastSync: Gauge
  readonly lastQueued: Gauge
  readonly programming: Histogram
  readonly endpointChanges: Counter
  readonly endpointChangesPending: Gauge
  readonly serviceChanges: Counter
  readonly serviceChangesPending: Gauge
  readonly noLocalEndpoints: Gauge
  readonly rules: Gauge
  readonly rulesLast: Gauge
  readonly restoreFailures: Counter
  readonly partialRestoreFailures: Counter
  readonly nftablesFailures: Counter
  readonly conntrackSync: Histogram
  readonly conntrackDeleted: Counter
  readonly healthz: Counter
  readonly livez: Counter
  /** how often someone else's change of our rules was undone */
  readonly repairs: Counter
  readonly withheld: Gauge
}

export function createProxyMetrics(registry: Registry): ProxyMetrics {
  const family = ['ip_family']
  const name = (rest: string) => `kubeproxy_${rest}`
  const histogram = (rest: string, help: string, buckets = doubling) =>
    registry.histogram(name(rest), help, buckets, family)
  const counter = (rest: string, help: string, labels: readonly string[] = family) =>
    registry.counter(name(rest), help, labels)
  const gauge = (rest: string, help: string, labels: readonly string[] = family) =>
    registry.gauge(name(rest), help, labels)
  const rules = 'sync_proxy_rules'
  return {
    sync: histogram(`${rules}_duration_seconds`, 'How long writing rules took'),
    syncWhole: histogram('sync_full_proxy_rules_duration_seconds', 'How long writing all rules took'),
    syncPartial: histogram('sync_partial_proxy_rules_duration_seconds', 'How long writing changed rules took'),
    lastSync: gauge(`${rules}_last_timestamp_seconds`, 'When rules were last written'),
    lastQueued: gauge(`${rules}_last_queued_timestamp_seconds`, 'When a change was last queued'),
    programming: histogram(
      'network_programming_duration_seconds',
      'Time from the change of a pod to the rules that follow it',
      programmingBuckets,
    ),
    endpointChanges: counter(`${rules}_endpoint_changes_total`, 'Changes of EndpointSlices seen', []),
    endpointChangesPending: gauge(`${rules}_endpoint_changes_pending`, 'Changes of EndpointSlices not written yet', []),
    serviceChanges: counter(`${rules}_service_changes_total`, 'Changes of Services seen', []),
    serviceChangesPending: gauge(`${rules}_service_changes_pending`, 'Changes of Services not written yet', []),
    noLocalEndpoints: gauge(
      `${rules}_no_local_endpoints_total`,
      'Service ports with a Local traffic policy that have endpoints, but none on this node',
      ['traffic_policy', 'ip_family'],
    ),
    rules: gauge(`${rules}_iptables_total`, 'Rules of the proxy in iptables', ['table', 'ip_family']),
    rulesLast: gauge(`${rules}_iptables_last`, 'Rules written to iptables last time', ['table', 'ip_family']),
    restoreFailures: counter(`${rules}_iptables_restore_failures_total`, 'Failures of iptables-restore'),
    partialRestoreFailures: counter(
      `${rules}_iptables_partial_restore_failures_total`,
      'Failures of iptables-restore that made all rules be written anew',
    ),
    nftablesFailures: counter(`${rules}_nftables_sync_failures_total`, 'Failures of writing to nftables'),
    conntrackSync: histogram('conntrack_reconciler_sync_duration_seconds', 'How long looking for stale flows took'),
    conntrackDeleted: counter('conntrack_reconciler_deleted_entries_total', 'Stale flows deleted'),
    healthz: counter('proxy_healthz_total', 'Answers of /healthz', ['code']),
    livez: counter('proxy_livez_total', 'Answers of /livez', ['code']),
    withheld: registry.gauge(
      'fairway_proxy_withheld_fronts',
      'Fronts of Services that would take an address or port from the node',
      ['reason', 'ip_family'],
    ),
    repairs: registry.counter('fairway_proxy_repairs_total', 'Times that others had changed our rules', family),
  }
}

/** 1 ms to 16 s. */
const doubling = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i)
const steps = (from: number, by: number, count: number) => Array.from({ length: count }, (_, i) => from + by * i)
const programmingBuckets = [...steps(0.25, 0.25, 2), ...steps(1, 1, 59), ...steps(60, 5, 12), ...steps(120, 30, 7)]
