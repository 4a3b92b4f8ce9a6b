#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
// Runs muster from its sources, without a build: node bin/dev.js tw ps
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { commandIds, main } from '../src/cli/main.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
packageJson.oclif.commands.target = './src/commands'
const files = readdirSync(join(root, 'src/commands'), { recursive: true })

void main(process.argv.slice(2), { root, packageJson, ids: commandIds(files) })
