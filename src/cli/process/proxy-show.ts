// effect: netlink sockets
// `fairway proxy show`: what nftables mode has written into this machine's kernel, in words.
import { defineCommand } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { choice, toggle } from '#daemon/flags.ts'
import { readRuleset } from '#kernel/nftables/read-ruleset.ts'
import { renderRulesetJson } from '#kernel/nftables/ruleset-json.ts'
import { tableName } from '#proxy/nftables/options.ts'
import { showPorts, showTable } from '#proxy/nftables/show.ts'

export const proxyShow = defineCommand({
  name: 'proxy show',
  summary: 'what nftables mode does with Services on this node, read from the kernel',
  usage: '[NAMESPACE/SERVICE...] [flags]',
  description:
    "Reads the rules' own instructions, also those that `nft list ruleset` has no words for. Services that are named are\n" +
    'shown with the chains that serve them.',
  examples: [
    'fairway proxy show',
    'fairway proxy show default/hostnames',
    'fairway proxy show --rules                       # the whole table, with every rule and element',
    'fairway proxy show -o json > rules.json          # all of nftables, for looking at it elsewhere',
    'fairway exec node/node-1 -- fairway proxy show   # on a node of a cluster of `fairway up`',
  ],
  flags: {
    rules: toggle({ help: 'the whole table instead of Services' }),
    output: choice(['text', 'json'], { help: 'json: all tables of nftables, whosever', default: 'text', short: 'o' }),
  },
  run({ rules, output }, services, { stdout }) {
    if (output === 'json') {
      stdout.write(`${renderRulesetJson(readRuleset())}\n`)
      return Promise.resolve()
    }
    const tables = readRuleset({ table: tableName }).tables.filter(({ sets }) => sets.length > 0)
    if (tables.length === 0)
      throw new UserError(`there is no table ${tableName} in this network namespace`, {
        code: 'NoTable',
        remedy:
          'the rules of iptables mode are shown by iptables-save; on a node of `fairway up`: fairway exec node/node-1 -- ...',
      })
    stdout.write(tables.map((table) => (rules ? showTable(table) : showPorts(table, services))).join('\n'))
    return Promise.resolve()
  },
})
