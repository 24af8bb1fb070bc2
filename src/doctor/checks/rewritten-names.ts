// Names of Services that the Corefile gives another meaning, by a rewrite, a template or a table of hosts.

import type { ConfigMap } from '#api/core.ts'
import { type Directive, parseCorefile } from '#dns/corefile/syntax.ts'
import { parseRewrite, rewrite, type RewriteRule } from '#dns/corefile/rewrite.ts'
import { isWithin, normalName } from '#dns/wire/name.ts'
import { type Case, servicesOf } from '#doctor/checks/check.ts'
import { inNamespace, plural, someOf } from '#doctor/compare/words.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf } from '#doctor/view.ts'

/** What a directive makes of a name that a Service has; undefined: it leaves it alone. */
type Change = { readonly line: number; readonly text: string; changes(name: string): string | undefined }
const typeA = 1

export const checkRewrittenNames = (it: Case): readonly Finding[] =>
  it.view.configMaps.flatMap((map) => changesOf(map).flatMap((change) => [...toFinding(it, map, change)]))

function toFinding(it: Case, map: ConfigMap, { change, domain }: Found): readonly Finding[] {
  const hit = servicesOf(it).flatMap((service) => {
    const [namespace, name] = keyOf(service).split('/')
    const asked = normalName(`${name}.${namespace}.svc.${domain}`)
    const becomes = change.changes(asked)
    return becomes === undefined ? [] : [{ key: keyOf(service), asked, becomes }]
  })
  if (hit.length === 0) return []
  const services = hit.map(({ key }) => key)
  return [
    finding({
      code: 'NameRewritten',
      about: hit.length === 1 ? `svc/${services[0]}` : `configmap/${keyOf(map)}`,
      services,
      summary: `the cluster DNS answers ${hit.length === 1 ? hit[0]!.asked : plural(hit.length, 'name')} with ${someOf(hit.map(({ becomes }) => becomes))}`,
      evidence: [`configmap ${keyOf(map)}, line ${change.line} of the Corefile: ${change.text}`],
      consequence: `100% of clients that ask for ${someOf(services)} by name come to somebody else, or get no address`,
      remedy: [`kubectl edit configmap ${inNamespace(keyOf(map))}   # take out line ${change.line}: ${change.text}`],
    }),
  ]
}

type Found = { readonly change: Change; readonly domain: string }

function changesOf(map: ConfigMap): readonly Found[] {
  const text = map.data?.['Corefile']
  const read = text === undefined ? undefined : parseCorefile(text)
  if (read === undefined || 'error' in read) return []
  return read.blocks.flatMap(({ directives }) => {
    const zones = directives.find(({ name }) => name === 'kubernetes')?.args ?? []
    const domain = zones.find((zone) => !zone.endsWith('.arpa'))
    return domain === undefined ? [] : directives.flatMap(readChanges).map((change) => ({ change, domain }))
  })
}

function readChanges(directive: Directive): readonly Change[] {
  const { name, args, line, options } = directive
  const text = [name, ...args].join(' ')
  if (name === 'rewrite') {
    const read = parseRewrite(directive)
    const isTame =
      'error' in read || read.rule.kind !== 'name' || read.rule.match !== 'regex' || isQuick(read.rule.from)
    return 'error' in read || !isTame ? [] : [{ line, text, changes: (asked) => renamed(read.rule, asked) }]
  }
  if (name === 'template') {
    const zones = args.slice(2)
    const patterns = options.filter((option) => option.name === 'match').flatMap(({ args: words }) => regexOf(words[0]))
    const answer = options.find((option) => ['answer', 'rcode'].includes(option.name))
    const isHit = (asked: string) =>
      (zones.length === 0 || zones.some((zone) => isWithin(asked, normalName(zone)))) &&
      (patterns.length === 0 || patterns.some((pattern) => pattern.test(`${asked}.`)))
    const becomes = answer === undefined ? 'nothing' : [answer.name, ...answer.args].join(' ')
    return [{ line, text, changes: (asked) => (isHit(asked) ? becomes : undefined) }]
  }
  if (name === 'hosts')
    return options.map(({ name: ip, args: names, line: at }) => ({
      line: at,
      text: [ip, ...names].join(' '),
      changes: (asked) => (names.some((one) => normalName(one) === asked) ? ip : undefined),
    }))
  return []
}

function renamed(rule: RewriteRule, asked: string): string | undefined {
  const { name } = rewrite([rule], { name: asked, type: typeA })
  return name === asked ? undefined : name
}

/** Whoever sent the file may have written any pattern: repetitions of repetitions could take for ever. */
const isQuick = (pattern: string): boolean => pattern.length <= 200 && !/[+*}][^()]*\)[+*{]/.test(pattern)

function regexOf(text = ''): readonly RegExp[] {
  if (!isQuick(text)) return []
  try {
    return [new RegExp(text)]
  } catch {
    return []
  }
}
