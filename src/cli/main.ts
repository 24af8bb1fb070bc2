// effect: this process: its words, its output, its exit code
// The door: finds the command that the first word names, loads it and runs it.
import '#cli/resolve-imports.ts'
import { flushCompileCache } from 'node:module'
import { commands, groups } from '#cli/commands.ts'
import { renderHelp, runCommand } from '#daemon/command.ts'
import { messageOf, UserError } from '#daemon/error.ts'
import { createLogger } from '#daemon/log.ts'
import { terminationSignal } from '#daemon/signals.ts'
import { nearest } from '#lib/nearest.ts'

const { stdout, stderr } = process
// A reader that went away (`fairway logs | head`) is no error.
stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

const exitCode = await main(process.argv.slice(2))
// What a slow reader has not taken yet would be lost with this process.
for (const stream of [stdout, stderr]) await new Promise<void>((resolve) => void stream.write('', () => resolve()))
process.exit(exitCode)

async function main(all: readonly string[]): Promise<number> {
  const [name = '--help', ...words] = joinName(all)
  const signal = terminationSignal()
  const log = createLogger({ format: 'text', level: 0, write: (line) => void stderr.write(line) })
  const context = { signal, log, stdout, stderr, env: process.env }
  try {
    if (['--help', '-h', 'help'].includes(name)) return await help(joinName(words)[0])
    const entry = find(name === '--version' ? 'version' : name)
    const command = await entry.load()
    // Parts run for long and may be killed at any time: what was compiled is kept soon, not only at exit.
    for (const afterMs of [500, 2000]) setTimeout(flushCompileCache, afterMs).unref()
    return await runCommand(command, words, context)
  } catch (error) {
    if (signal.aborted && !(error instanceof UserError)) return 130
    stderr.write(explain(error))
    return error instanceof UserError ? error.exitCode : 1
  }
}

/** Some commands have a name of two words: `node add`. */
function joinName(words: readonly string[]): readonly string[] {
  const [first, second, ...rest] = words
  const isPair = commands.some(({ name }) => name.startsWith(`${first} `))
  return isPair && second !== undefined && !second.startsWith('-') ? [`${first} ${second}`, ...rest] : words
}

async function help(name: string | undefined): Promise<number> {
  stdout.write(name === undefined ? overview() : renderHelp(await find(name).load()))
  return 0
}

function find(name: string) {
  const entry = commands.find((one) => one.name === name)
  if (entry !== undefined) return entry
  const isFlag = name.startsWith('-')
  const near = isFlag
    ? undefined
    : nearest(
        name,
        commands.map((one) => one.name),
      )
  throw new UserError(`unknown ${isFlag ? 'flag' : 'command'} ${isFlag ? name : `"${name}"`}`, {
    code: 'UnknownCommand',
    exitCode: 2,
    remedy: near === undefined ? 'see fairway --help' : `did you mean: fairway ${near}`,
  })
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  const sections = Object.entries(groups).map(([group, title]) => {
    const lines = commands.filter((one) => one.group === group)
    return lines.length === 0
      ? ''
      : `\n${title}:\n${lines.map(({ name, summary }) => `  ${name.padEnd(width)}   ${summary}\n`).join('')}`
  })
  return `Kubernetes Services, end to end.\n\nUsage:\n  fairway COMMAND [flags]\n${sections.join('')}
Every command explains itself with --help.\n`
}

/** One clear message. Only what no one foresaw shows where it happened. */
function explain(error: unknown): string {
  if (error instanceof UserError)
    return `fairway: ${error.message}\n${error.remedy === undefined ? '' : `  ${error.remedy}\n`}`
  // ERR_... are Node's own: it was called wrongly.
  const isForeseen = error instanceof Error && 'code' in error && !String(error.code).startsWith('ERR_')
  return isForeseen
    ? `fairway: ${messageOf(error)}\n`
    : `fairway: this is a bug in Fairway: ${error instanceof Error ? error.stack : String(error)}\n`
}
