// Dumps as people have them, told apart by what they say and not by their names.

import { isList, parseList } from '#kernel/iptables/list.ts'
import { renderRule } from '#kernel/iptables/render-rule.ts'
import { parseSave } from '#kernel/iptables/save.ts'
import type { IptablesRules, Machine, TracedChain } from '#trace/machine.ts'

export type Input = { readonly file: string; readonly text: string }

/** What a text is, or undefined where nothing is known of it. */
export type InputKind = 'iptables-save' | 'iptables -L' | 'ip addr'

export function identify(text: string): InputKind | undefined {
  if (/^\*(filter|nat|mangle|raw|security)\b/m.test(text)) return 'iptables-save'
  if (isList(text)) return 'iptables -L'
  if (/^\d+: \S+: </m.test(text) || /^\s*\[\s*\{\s*"ifindex"/.test(text)) return 'ip addr'
  return undefined
}

/** One machine from all that is known of it. `ignored` names the inputs that nothing could be read from. */
export function readMachine(
  name: string,
  inputs: readonly Input[],
): { readonly machine: Machine; readonly ignored: readonly string[] } {
  const families: { ip4?: IptablesRules; ip6?: IptablesRules } = {}
  let addresses: Set<string> | undefined
  const ignored: string[] = []
  for (const input of inputs) {
    const kind = identify(input.text)
    if (kind === undefined) ignored.push(input.file)
    else if (kind === 'ip addr') addresses = new Set([...(addresses ?? []), ...readAddresses(input.text)])
    else {
      const rules = kind === 'iptables-save' ? readSave(input) : readList(input)
      // The same commands dump both families; only their addresses tell them apart.
      const family =
        /\b[0-9a-f]{0,4}::?[0-9a-f:]*\/\d+\b/.test(input.text) && !/\d+\.\d+\.\d+\.\d+/.test(input.text) ? 'ip6' : 'ip4'
      families[family] = new Map([...(families[family] ?? []), ...rules])
    }
  }
  const hasRules = families.ip4 !== undefined || families.ip6 !== undefined
  return {
    machine: { name, ...(hasRules ? { iptables: families } : {}), ...(addresses === undefined ? {} : { addresses }) },
    ignored,
  }
}

function readSave({ file, text }: Input): Map<string, ReadonlyMap<string, TracedChain>> {
  const lines = ruleLines(text)
  return new Map(
    parseSave(text).map((table) => [
      table.name,
      new Map(
        table.chains.map(({ name, policy, rules }) => {
          const numbers = lines.get(`${table.name} ${name}`) ?? []
          const traced = rules.map((rule, i) => ({
            rule,
            text: `-A ${name} ${renderRule(rule)}`,
            origin: { file, line: numbers[i] ?? 0 },
          }))
          return [name, { name, ...(policy === undefined ? {} : { policy }), rules: traced }]
        }),
      ),
    ]),
  )
}

/** The line of each rule of iptables-save, by table and chain. */
function ruleLines(text: string): Map<string, number[]> {
  const lines = new Map<string, number[]>()
  let table = ''
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith('*')) table = line.slice(1).trim()
    const chain = /^(?:\[\d+:\d+\] )?-A (\S+)/.exec(line)?.[1]
    if (chain === undefined) continue
    const key = `${table} ${chain}`
    const known = lines.get(key)
    if (known === undefined) lines.set(key, [index + 1])
    else known.push(index + 1)
  }
  return lines
}

/** `iptables -L` does not say which table it lists; its built-in chains do. */
function readList({ file, text }: Input): Map<string, ReadonlyMap<string, TracedChain>> {
  const chains = parseList(text)
  const names = new Set(chains.filter((chain) => chain.policy !== undefined).map((chain) => chain.name))
  const table = names.has('FORWARD')
    ? names.has('PREROUTING')
      ? 'mangle'
      : 'filter'
    : names.has('POSTROUTING')
      ? 'nat'
      : 'raw'
  const traced = chains.map(({ name, policy, rules, lines }): [string, TracedChain] => [
    name,
    {
      name,
      ...(policy === undefined ? {} : { policy }),
      rules: rules.map((rule, i) => ({
        rule,
        text: `-A ${name} ${renderRule(rule)}`,
        origin: { file, line: lines[i]! },
      })),
    },
  ])
  return new Map([[table, new Map(traced)]])
}

function readAddresses(text: string): string[] {
  return [...text.matchAll(/\binet6? ([0-9a-f.:]+)|"local":\s*"([0-9a-f.:]+)"/g)].map(
    ([, plain, json]) => (plain ?? json)!,
  )
}
