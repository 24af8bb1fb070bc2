// What a subcommand is, and how one is run: help, flags, then its own `run`.

import { UserError } from '#daemon/error.ts'
import { parseFlags, renderFlags, type Flags, type OptionsOf } from '#daemon/flags.ts'
import type { Logger } from '#daemon/log.ts'

/** Where a command writes; process.stdout and process.stderr are such. */
export type Output = { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number }

/** What a command gets beside its options. */
export type CommandContext = {
  /** aborted by the first SIGINT or SIGTERM */
  readonly signal: AbortSignal
  readonly log: Logger
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  /** the options that were given, not left to their defaults */
  readonly given: ReadonlySet<string>
}

export type Command<F extends Flags = Flags> = {
  readonly name: string
  /** one line, lower case, without a full stop */
  readonly summary: string
  /** what stands behind the name: `[flags] URL` */
  readonly usage: string
  /** a paragraph that the help shows below the summary */
  readonly description?: string
  /** whole command lines; `# ...` behind a command says what it does */
  readonly examples: readonly string[]
  readonly flags: F
  /** Answers the exit code; nothing means 0. */
  run(options: OptionsOf<F>, rest: readonly string[], context: CommandContext): Promise<number | void>
}

/** Gives a command the types of its own flags. */
export const defineCommand = <const F extends Flags>(command: Command<F>): Command<F> => command

/** A command whatever its flags are, as a table of commands holds it. */
export type AnyCommand = Omit<Command, 'run'> & {
  run(options: never, rest: readonly string[], context: CommandContext): Promise<number | void>
}

export async function runCommand(
  command: AnyCommand,
  words: readonly string[],
  context: Omit<CommandContext, 'given'>,
): Promise<number> {
  if (wantsHelp(words)) {
    context.stdout.write(renderHelp(command))
    return 0
  }
  const { options, rest, given } = parseFlags(command.flags, words, context.env)
  return (await command.run(options as never, rest, { ...context, given })) ?? 0
}

/** `--help` or `-h` anywhere before `--`. */
const wantsHelp = (words: readonly string[]) => {
  const end = words.indexOf('--')
  return (end === -1 ? words : words.slice(0, end)).some((word) => word === '--help' || word === '-h')
}

export function renderHelp(
  command: Pick<AnyCommand, 'name' | 'summary' | 'usage' | 'description' | 'examples' | 'flags'>,
) {
  const summary = command.summary.charAt(0).toUpperCase() + command.summary.slice(1)
  const parts = [
    `${summary}.\n`,
    ...(command.description === undefined ? [] : [`${command.description}\n`]),
    `Usage:\n  fairway ${command.name} ${command.usage}`.trimEnd() + '\n',
    ...(command.examples.length === 0 ? [] : [`Examples:\n${command.examples.map((line) => `  ${line}\n`).join('')}`]),
    ...(Object.keys(command.flags).length === 0 ? [] : [`Flags:\n${renderFlags(command.flags)}`]),
  ]
  return parts.join('\n')
}

/** For commands that take no words beyond their flags. */
export function takesNone(command: string, rest: readonly string[]): void {
  if (rest.length > 0)
    throw new UserError(`${command} takes no argument "${rest[0]}"`, {
      code: 'BadArgument',
      exitCode: 2,
      remedy: `see fairway ${command} --help`,
    })
}
