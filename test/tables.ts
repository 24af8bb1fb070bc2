// `npm run tables`: writes the tables in READMEs that come from trying things. Tests only compare. Each stands between
// `<!-- NAME: npm run tables -->` and `<!-- end -->`. What it takes is said where it is missing.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { renderCommandTable, tryCommands, type Verdict } from '#test/kubectl-commands.ts'
import { given } from '#test/kubectls.ts'
import { outer } from '#test/outer.ts'
import { writeTable } from '#test/readme-table.ts'

if (process.argv[2] === 'inside') await tryKubectls()
else if (given().length < 2 || process.getuid?.() !== 0)
  console.log('kubectl: needs root, and kubectls of several versions: FAIRWAY_KUBECTLS=PATH:PATH...')
else {
  const [program = '', ...words] = [
    ...outer(),
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    'test/tables.ts',
  ]
  process.exitCode = spawnSync(program, [...words, 'inside'], { stdio: 'inherit' }).status ?? 1
}

async function tryKubectls(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-tables-'))
  const live = new LiveCluster('tables', ['--nodes', '2'])
  try {
    const byVersion = new Map<number, ReadonlyMap<string, Verdict>>()
    const waiting = given().filter(({ minor }, at, all) => all.findIndex((one) => one.minor === minor) === at)
    const lane = async () => {
      for (let kubectl = waiting.shift(); kubectl !== undefined; kubectl = waiting.shift()) {
        const { minor } = kubectl
        const report = (command: string, said: string) =>
          console.log(`kubectl 1.${minor} ${command}:\n  ${said.trim().split('\n').slice(-6).join('\n  ')}`)
        byVersion.set(minor, await tryCommands(kubectl, live, folder, report))
        console.log(`kubectl 1.${minor} has been tried`)
      }
    }
    await Promise.all([lane(), lane(), lane()])
    writeTable('src/apiserver/README.md', 'kubectl', renderCommandTable(byVersion))
  } finally {
    live.down()
    rmSync(folder, { recursive: true, force: true })
  }
}
