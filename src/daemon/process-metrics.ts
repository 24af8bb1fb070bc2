// effect: figures of this process in /proc/self
import { readdirSync, readFileSync } from 'node:fs'
import type { Registry } from '#daemon/metrics.ts'
import { kubernetesVersion, version } from '#daemon/version.ts'

/** The process_* metrics that every Prometheus client has, and two of Node's own. */
export function processMetrics(registry: Registry): void {
  registry
    .gauge('fairway_build_info', 'Constant 1 with the versions of Fairway and of Node.', [
      'version',
      'kubernetes',
      'node',
    ])
    .set(1, version, kubernetesVersion, process.version)
  const startedAt = Math.round(performance.timeOrigin / 10) / 100
  registry.gauge('process_start_time_seconds', 'Start of the process in seconds since 1970.').set(startedAt)
  registry.gauge('process_cpu_seconds_total', 'Time on a processor, user and system, in seconds.', [], (gauge) => {
    const { user, system } = process.cpuUsage()
    gauge.set((user + system) / 1e6)
  })
  registry.gauge('process_resident_memory_bytes', 'Resident memory in bytes.', [], (gauge) =>
    gauge.set(process.memoryUsage.rss()),
  )
  registry.gauge('process_virtual_memory_bytes', 'Virtual memory in bytes.', [], (gauge) => {
    const pages = Number(readProc('statm').split(' ')[0])
    if (pages > 0) gauge.set(pages * 4096)
  })
  registry.gauge('process_open_fds', 'Open file descriptors.', [], (gauge) => {
    const count = countFds()
    if (count !== undefined) gauge.set(count)
  })
  registry.gauge('process_max_fds', 'Most file descriptors that may be open.', [], (gauge) => {
    const limit = /^Max open files\s+(\d+)/m.exec(readProc('limits'))?.[1]
    if (limit !== undefined) gauge.set(Number(limit))
  })
  registry.gauge('nodejs_heap_used_bytes', 'JavaScript heap in use, in bytes.', [], (gauge) =>
    gauge.set(process.memoryUsage().heapUsed),
  )
}

// A machine without /proc (or a hidden one) still has the other figures.
function readProc(name: string): string {
  try {
    return readFileSync(`/proc/self/${name}`, 'utf8')
  } catch {
    return ''
  }
}

function countFds(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length - 1
  } catch {
    return undefined
  }
}
