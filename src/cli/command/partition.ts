// effect: firewall rules of a cluster's own network
import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { requireRunning } from '#cli/command/running-cluster.ts'
import { defineCommand, type Output } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { applyCuts, type Cut, cutBetween, listCuts } from '#lab/partition.ts'

export const partition = defineCommand({
  name: 'partition',
  summary: 'cut nodes off from each other, as a broken network does',
  usage: '[A B]',
  description:
    'The two no longer reach each other, in either direction; everyone else still reaches both. Without names it lists who is\n' +
    'cut off from whom. heal undoes it.',
  examples: ['fairway partition node-1 node-2', 'fairway partition node-3 control-plane', 'fairway partition'],
  flags: clusterFlags,
  async run({ name }, words, { stdout }) {
    const plan = requireRunning(name)
    const cuts = listCuts(plan)
    if (words.length === 0) return print(cuts, stdout)
    const cut = cutBetween(plan, ...twoOf(words))
    const others = cuts.filter((one) => one.join() !== cut.join())
    applyCuts(plan, [...others, cut])
    print([...others, cut], stdout)
  },
})

export const heal = defineCommand({
  name: 'heal',
  summary: 'undo partition',
  usage: '[A B]',
  description: 'Without names everything is whole again.',
  examples: ['fairway heal node-1 node-2', 'fairway heal'],
  flags: clusterFlags,
  async run({ name }, words, { stdout }) {
    const plan = requireRunning(name)
    const cut = words.length === 0 ? undefined : cutBetween(plan, ...twoOf(words))
    const left = listCuts(plan).filter((one) => cut !== undefined && one.join() !== cut.join())
    applyCuts(plan, left)
    print(left, stdout)
  },
})

function twoOf(words: readonly string[]): [string, string] {
  const [a, b] = words
  if (a !== undefined && b !== undefined && words.length === 2) return [a, b]
  throw new UserError('which two?', { code: 'BadArgument', exitCode: 2, remedy: 'for example: node-1 node-2' })
}

const print = (cuts: readonly Cut[], stdout: Output): void =>
  void stdout.write(cuts.length === 0 ? 'nobody is cut off\n' : cuts.map(([a, b]) => `${a} | ${b}\n`).join(''))
