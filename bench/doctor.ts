// How long the doctor takes over a cluster of 5,000 Services and three nodes, from its files to findings, in the layout of
// kube-proxy in iptables, three endpoints a Service. In a process of its own, so that memory is its own.
import { execFileSync } from 'node:child_process'
import type { Bench, Figures } from './bench.ts'

export const bench: Bench = {
  about: 'a diagnosis of 5,000 Services on three nodes, and the memory that it takes',
  async run({ short, own }) {
    const services = Number(own.get('services') ?? (short ? 50 : 5000))
    const measure = new URL('doctor/measure.ts', import.meta.url).pathname
    const said = execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', measure, String(services)], {
      encoding: 'utf8',
    })
    return { figures: { services, ...(JSON.parse(said) as Figures) } }
  },
}
