import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { ComposeReader, ComposeSource } from '../../core/tw/compose/assemble.ts'
import { parseEnvFile } from '../../core/tw/compose/env-file.ts'
import { isRefusal } from '../../core/kernel/errors.ts'
import { parseYaml, readText } from './yaml-file.ts'

/** A compose file with its variables: those that are set, then of the files named, or of the `.env` beside it. @throws MusterError TW_COMPOSE_INVALID */
export function composeSource(file: string, envFiles: readonly string[], env: NodeJS.ProcessEnv): ComposeSource {
  const path = file === '-' ? resolve('compose.yaml') : resolve(file)
  const beside = join(dirname(path), '.env')
  const files = envFiles.length > 0 ? envFiles : existsSync(beside) ? [beside] : []
  const variables = files.reduce<Record<string, string | undefined>>((known, name) => ({ ...known, ...parsed(name, env) }), {})
  const document: unknown = parseYaml(readText(file), file === '-' ? '<stdin>' : file, 'TW_COMPOSE_INVALID').toJS()
  return { path, document, env: { ...variables, ...env } }
}

/** The files that a compose file names. */
export function composeReader(env: NodeJS.ProcessEnv): ComposeReader {
  const at = (path: string, from: string): string => resolve(dirname(from), path)
  return {
    compose: (path, from, envFiles) => {
      try {
        return composeSource(
          at(path, from),
          envFiles.map((file) => at(file, from)),
          env,
        )
      } catch (error) {
        if (isRefusal(error)) return { problem: error.message }
        throw error
      }
    },
    text: (path, from) => (existsSync(at(path, from)) ? readText(at(path, from)) : null),
  }
}

function parsed(file: string, env: NodeJS.ProcessEnv): Record<string, string> {
  const found = Object.entries(parseEnvFile(readText(file), env))
  return Object.fromEntries(found.flatMap(([name, value]) => (value === null ? [] : [[name, value]])))
}
