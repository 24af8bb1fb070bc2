// One cluster for all the tests of a file, and the ways into it that a user has.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fairway, type Ran, run } from '#test/fairway.ts'

/** `node/node-1`, `client`, `router` or `pod/NAME`. */
export type Place = string

/** A shell's answer and its exit code. */
export type Said = { readonly status: number | null; readonly text: string }

export class LiveCluster {
  readonly name: string
  /** what `up` printed */
  readonly shown: string
  readonly env: Readonly<Record<string, string>>

  /** Boots it, and waits until it is ready. */
  constructor(name: string, words: readonly string[]) {
    this.name = `t-${name}-${process.pid}`
    const { status, stdout, stderr } = fairway(['up', '--name', this.name, ...words])
    if (status !== 0) this.down()
    assert.equal(status, 0, stderr)
    this.shown = stdout
    this.env = { KUBECONFIG: `/var/lib/fairway/${this.name}/kubeconfig` }
  }

  down(): void {
    fairway(['down', '--name', this.name])
  }

  /** `kubectl WORDS...`; throws where it fails. */
  kubectl(...words: readonly string[]): string {
    return run(['kubectl', ...words], this.env)
  }

  /** The same, with its input and however it ends. */
  tryKubectl(words: readonly string[], input = '', env: Readonly<Record<string, string>> = {}): Ran {
    const { status, stdout, stderr } = spawnSync('kubectl', words, {
      encoding: 'utf8',
      input,
      env: { ...process.env, ...this.env, ...env },
      timeout: 30_000,
    })
    return { status, stdout, stderr }
  }

  /** One value of an object. */
  value(path: string, ...words: readonly string[]): string {
    return this.kubectl('get', ...words, '-o', `jsonpath={${path}}`)
  }

  /** `fairway COMMAND --name CLUSTER WORDS...`, however it ends; a command may have two words: `node add`. */
  fairway(command: string, ...words: readonly string[]): Ran {
    return fairway([...command.split(' '), '--name', this.name, ...words])
  }

  /** A shell script somewhere in the cluster, with both outputs as one. */
  sh(place: Place, script: string): Said {
    const { status, stdout, stderr } = this.fairway('exec', place, '--', 'sh', '-c', script)
    return { status, text: `${stdout}${stderr}`.trim() }
  }

  /** The answers to so many requests, each on a connection of its own, one after the other. */
  answers(place: Place, url: string, count: number): readonly string[] {
    const { text } = this.sh(place, `for i in $(seq ${count}); do curl -sS -m 5 ${url} 2>&1; echo; done`)
    return text.split('\n').filter((line) => line !== '')
  }

  /** The pods with a label, by name. */
  pods(selector: string): readonly { readonly name: string; readonly ip: string; readonly node: string }[] {
    const list = JSON.parse(this.kubectl('get', 'pods', '-l', selector, '-o', 'json')) as {
      items: {
        metadata: { name: string; deletionTimestamp?: string }
        spec: { nodeName: string }
        status: { podIP: string }
      }[]
    }
    return list.items
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata, spec, status }) => ({ name: metadata.name, ip: status.podIP, node: spec.nodeName }))
  }

  /** Addresses and ports that a Service has endpoints at. */
  endpoints(service: string): readonly string[] {
    const list = JSON.parse(this.kubectl('get', 'endpoints', service, '-o', 'json')) as {
      subsets?: { addresses?: { ip: string }[]; ports: { port: number }[] }[]
    }
    return (list.subsets ?? [])
      .flatMap(({ addresses = [], ports }) => addresses.flatMap(({ ip }) => ports.map(({ port }) => `${ip}:${port}`)))
      .sort()
  }
}

/** How often each answer came. */
export function tally(answers: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1)
  return counts
}

/** Between which counts `trials` of chance `p` end, but for a risk of `risk` on either side. */
export function likelyCounts(trials: number, p: number, risk: number): readonly [number, number] {
  const chances: number[] = []
  let logChance = trials * Math.log(1 - p)
  for (let k = 0; k <= trials; k++) {
    chances.push(Math.exp(logChance))
    logChance += Math.log((trials - k) / (k + 1)) + Math.log(p / (1 - p))
  }
  const firstBeyond = (list: readonly number[]): number => {
    let sum = 0
    return list.findIndex((chance) => (sum += chance) > risk)
  }
  return [firstBeyond(chances), trials - firstBeyond(chances.toReversed())]
}
