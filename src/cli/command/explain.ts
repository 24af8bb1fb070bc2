// effect: files
import { readFileSync } from 'node:fs'
import { defineCommand } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { codes, factsOf, isCode } from '#doctor/codes.ts'
import { nearest } from '#lib/nearest.ts'
import { renderTable } from '#lib/table.ts'

export const explain = defineCommand({
  name: 'explain',
  summary: 'what a code of fairway doctor means, how it is seen and put right',
  usage: '[CODE]',
  description: 'Without a code, lists all of them.',
  examples: ['fairway explain StaleEndpoint', 'fairway explain'],
  flags: {},
  async run(_options, [code, ...more], { stdout }) {
    if (code === undefined) {
      stdout.write(
        renderTable([
          ['CODE', 'SEVERITY', 'WHAT'],
          ...all().map((name) => [name, factsOf(name).severity, factsOf(name).title]),
        ]),
      )
      return 0
    }
    const known = all().find((name) => name.toLowerCase() === code.toLowerCase())
    if (known !== undefined && more.length === 0) {
      stdout.write(readFileSync(new URL(`../../../docs/findings/${known}.md`, import.meta.url), 'utf8'))
      return 0
    }
    const near = nearest(code, all())
    throw new UserError(`there is no finding with the code ${[code, ...more].join(' ')}`, {
      code: 'BadArgument',
      exitCode: 2,
      remedy: near === undefined ? 'fairway explain lists all codes' : `did you mean: fairway explain ${near}`,
    })
  },
})

const all = () => Object.keys(codes).filter(isCode)
