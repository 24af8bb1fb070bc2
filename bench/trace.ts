// How fast a dump of 100,000 rules is read, and one packet traced through it: the layout of kube-proxy in iptables, ten
// endpoints a Service, and the same Services as nft prints them. In a process of its own, so that memory is its own.
import { execFileSync } from 'node:child_process'
import type { Bench, Figures } from './bench.ts'

export const bench: Bench = {
  about: 'a dump read and one packet traced, 100,000 rules, and the memory that it takes',
  async run({ short, own, say }) {
    const rules = Number(own.get('rules') ?? (short ? 1000 : 100_000))
    const figures: Figures = { rules }
    for (const form of ['iptables', 'nft']) {
      say(form)
      const measure = new URL('trace/measure.ts', import.meta.url).pathname
      const flags = ['--disable-warning=ExperimentalWarning', '--expose-gc']
      const said = execFileSync(process.execPath, [...flags, measure, form, String(rules)], { encoding: 'utf8' })
      const prefix = form === 'iptables' ? '' : 'nft_'
      for (const [key, value] of Object.entries(JSON.parse(said) as Figures)) figures[`${prefix}${key}`] = value
    }
    return { figures }
  },
}
