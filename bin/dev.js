#!/usr/bin/env node
// Runs muster from its sources, without a build: node bin/dev.js tw ps
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { commandIds, main } from '../src/cli/main.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const files = readdirSync(join(root, 'src/commands'), { recursive: true })

void main(process.argv.slice(2), {
  version: packageJson.version,
  ids: commandIds(files),
  load: async (id) => (await import(`../src/commands/${id.replaceAll(':', '/')}.ts`)).default,
  describe: async () => {
    const { Config } = await import('@oclif/core')
    packageJson.oclif.commands.target = './src/commands'
    return (await Config.load({ root, pjson: packageJson, ignoreManifest: true })).commands
  },
})
