import { renderCompletion, shells } from '#cli/completion-script.ts'
import { defineCommand } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'

export const completion = defineCommand({
  name: 'completion',
  summary: 'what a shell needs to complete fairway commands',
  usage: 'bash|zsh|fish',
  examples: [
    'source <(fairway completion bash)                          # in ~/.bashrc, or once',
    'source <(fairway completion zsh)                           # in ~/.zshrc',
    'fairway completion fish > ~/.config/fish/completions/fairway.fish',
  ],
  flags: {},
  async run(_options, [word, ...more], { stdout }) {
    const shell = shells.find((name) => name === word)
    if (shell === undefined || more.length > 0)
      throw new UserError(
        word === undefined ? 'for which shell?' : `no completion for "${[word, ...more].join(' ')}"`,
        {
          code: 'BadArgument',
          exitCode: 2,
          remedy: `for one of: ${shells.join(', ')}`,
        },
      )
    const { commands } = await import('#cli/commands.ts')
    stdout.write(renderCompletion(shell, await Promise.all(commands.map(({ load }) => load()))))
    return 0
  },
})
