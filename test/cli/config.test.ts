import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { targetOf } from '../../src/cli/client.ts'
import { loadConfig } from '../../src/cli/config.ts'

let home: string
let env: NodeJS.ProcessEnv
const near = (text: string): void => writeFileSync(join(home, 'muster.toml'), text)
const far = (text: string): void => {
  mkdirSync(join(home, 'config/muster'), { recursive: true })
  writeFileSync(join(home, 'config/muster/config.toml'), text)
}
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'muster-config-'))
  env = { HOME: home, XDG_CONFIG_HOME: join(home, 'config') }
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

test('a flag wins over the variable, the variable over the near file, that over the far one, all over the default', async () => {
  const origin = async (flags = {}): Promise<[string, string]> => {
    const { context } = await loadConfig(flags, env, home)
    return [context.value, context.origin]
  }
  expect(await origin()).toEqual(['default', 'default'])
  far('context = "far"')
  expect(await origin()).toEqual(['far', join(home, 'config/muster/config.toml')])
  near('context = "near"')
  expect(await origin()).toEqual(['near', join(home, 'muster.toml')])
  env['MUSTER_CONTEXT'] = 'variable'
  expect(await origin()).toEqual(['variable', 'MUSTER_CONTEXT'])
  expect(await origin({ context: 'flag' })).toEqual(['flag', 'flag --context'])
})

test('a context brings its address, its token from a file beside the config, and its protection', async () => {
  near('[contexts.prod]\naddress = "http://10.1.2.3:7420"\ntoken_file = "prod.token"\nprotected = true')
  writeFileSync(join(home, 'prod.token'), 'secret\n')
  const config = await loadConfig({ context: 'prod' }, env, home)
  expect(config.isProtected.value).toBe(true)
  expect(targetOf(config, env)).toEqual({ host: '10.1.2.3', port: 7420, isTls: false, token: 'secret' })
  expect((await loadConfig({}, env, home)).address.value).toBeNull()
})

test.each([
  ['contxt = "x"', /unknown key "contxt"/],
  ['[contexts.prod]\nadress = "x"', /unknown key "contexts.prod.adress"/],
  ['context = 3', /context must be a text/],
  ['context = "x', /muster\.toml/],
])('a mistake in a file is named with the file: %s', async (text, message) => {
  near(text)
  await expect(loadConfig({}, env, home)).rejects.toMatchObject({ code: 'USAGE', exit: 2, message: expect.stringMatching(message) })
})

test('an address that is none is refused', async () => {
  env['MUSTER_ADDRESS'] = 'nonsense'
  const config = await loadConfig({}, env, home)
  expect(() => targetOf(config, env)).toThrow(/MUSTER_ADDRESS/)
})
