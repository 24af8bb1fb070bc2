// Completion scripts of the shells, written from the tables of commands and flags. They are complete in themselves: a
// shell that completes starts no program but `ls`, for the names of clusters.
import type { AnyCommand } from '#daemon/command.ts'
import { kebab } from '#daemon/flags.ts'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

export type Described = Pick<AnyCommand, 'name' | 'summary' | 'flags'>

export function renderCompletion(shell: Shell, commands: readonly Described[]): string {
  if (shell === 'fish') return renderFish(commands)
  // zsh understands completions of bash once it is told to.
  const before =
    shell === 'zsh' ? 'autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n' : ''
  return `${before}${renderBash(commands)}`
}

type Option = {
  readonly long: string
  readonly short: string | undefined
  readonly help: string
  /** what follows it */
  readonly takes: 'nothing' | 'file' | 'cluster' | 'text' | readonly string[]
}

const clusters = 'ls /var/lib/fairway 2>/dev/null'

function optionsOf({ flags }: Described): readonly Option[] {
  return Object.entries(flags).map(([key, { help, placeholder, short, initial, values }]) => {
    const isOff = placeholder === undefined && initial?.value === true
    return { long: `${isOff ? 'no-' : ''}${kebab(key)}`, short, help, takes: takenBy(key, placeholder, values) }
  })
}

function takenBy(key: string, placeholder: string | undefined, values: readonly string[] | undefined): Option['takes'] {
  if (placeholder === undefined) return 'nothing'
  if (values !== undefined) return values
  if (key === 'name') return 'cluster'
  return placeholder === 'FILE' || placeholder === 'DIR' ? 'file' : 'text'
}

function renderBash(commands: readonly Described[]): string {
  const pairs = commands.map(({ name }) => name).filter((name) => name.includes(' '))
  const flags = commands.map((one) => {
    const words = optionsOf(one).map(({ long }) => `--${long}`)
    return `    '${one.name}') words='${[...words, '--help'].join(' ')}' ;;`
  })
  const values = commands.flatMap((one) =>
    optionsOf(one).flatMap((option) => {
      const answer = bashAnswer(option.takes)
      if (answer === undefined) return []
      const names = [`--${option.long}`, ...(option.short === undefined ? [] : [`-${option.short}`])]
      return `    ${names.map((flag) => `'${one.name} ${flag}'`).join(' | ')}) ${answer} ;;`
    }),
  )
  return `_fairway() {
  local cur=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]} words=
  case "$command \${COMP_WORDS[2]}" in
    ${pairs.map((name) => `'${name}'`).join(' | ')}) [ "$COMP_CWORD" -gt 2 ] && command="$command \${COMP_WORDS[2]}" ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${firstWords(commands).join(' ')}' -- "$cur"))
    return
  fi
  if [ "$COMP_CWORD" -eq 2 ]; then
    case "$command" in
${secondWords(pairs)
  .map(([first, seconds]) => `      '${first}') words='${seconds.join(' ')}' ;;`)
  .join('\n')}
    esac
  fi
  case "$command \${COMP_WORDS[COMP_CWORD-1]}" in
${values.join('\n')}
  esac
  case "$command" in
${flags.map((line) => line.replace("words='", 'words="$words ').replace(/' ;;$/, '" ;;')).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [ "\${#COMPREPLY[@]}" -gt 0 ] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _fairway fairway ./fairway
`
}

function bashAnswer(takes: Option['takes']): string | undefined {
  switch (takes) {
    case 'nothing':
      return undefined
    case 'file':
      return 'COMPREPLY=($(compgen -f -- "$cur")); return'
    case 'cluster':
      return `COMPREPLY=($(compgen -W "$(${clusters})" -- "$cur")); return`
    case 'text':
      return 'COMPREPLY=(); return'
    default:
      return `COMPREPLY=($(compgen -W '${takes.join(' ')}' -- "$cur")); return`
  }
}

const firstWords = (commands: readonly Described[]): readonly string[] => [
  ...new Set([...commands.map(({ name }) => name.split(' ')[0]!), 'help']),
]

const secondWords = (pairs: readonly string[]): readonly (readonly [string, readonly string[]])[] =>
  [...Map.groupBy(pairs, (name) => name.split(' ')[0]!)].map(([first, names]) => [
    first,
    names.map((name) => name.split(' ')[1]!),
  ])

function renderFish(commands: readonly Described[]): string {
  const quote = (text: string) => `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`
  const lines = commands.flatMap((command) => {
    const [first = '', second] = command.name.split(' ')
    const isTyped =
      second === undefined
        ? `__fish_seen_subcommand_from ${first}`
        : `__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${second}`
    const isWanted =
      second === undefined
        ? '__fish_use_subcommand'
        : `__fish_seen_subcommand_from ${first}; and test (count (commandline -opc)) -eq 2`
    return [
      `complete -c fairway -f -n ${quote(isWanted)} -a ${second ?? first} -d ${quote(command.summary)}`,
      ...optionsOf(command).map((option) => {
        const short = option.short === undefined ? '' : ` -s ${option.short}`
        return `complete -c fairway -n ${quote(isTyped)} -l ${option.long}${short}${fishValue(option.takes)} -d ${quote(option.help)}`
      }),
    ]
  })
  return `${lines.join('\n')}\n`
}

function fishValue(takes: Option['takes']): string {
  switch (takes) {
    case 'nothing':
      return ''
    case 'file':
      return ' -r -F'
    case 'cluster':
      return ` -x -a '(${clusters})'`
    case 'text':
      return ' -x'
    default:
      return ` -x -a '${takes.join(' ')}'`
  }
}
