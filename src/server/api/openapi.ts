import { z } from 'zod'
import type { RouteDef } from '../../core/contracts/route.ts'
import { type Operation, routeOf } from '../../core/contracts/operation.ts'

/** What every operation may answer besides its output; the exit codes behind them are in docs/cli/exit-codes.md. */
const FAILURES: Record<string, string> = {
  '400': 'The input is not of the documented form.',
  '403': 'The role, a guard or a missing confirmation does not allow it.',
  '404': 'Nothing of that name.',
  '409': 'Something changed meanwhile, or is held by somebody else.',
  '503': 'A part that is needed does not answer now; try again.',
}

type JsonSchema = Record<string, unknown>

/** The OpenAPI 3.1 document of a list of operations, one POST path each and GET where it only reads, and of the routes beside them. */
export function openApiDocument(operations: readonly Operation[], routes: readonly RouteDef[] = []): JsonSchema {
  const paths: Record<string, JsonSchema> = {}
  const schemas: Record<string, JsonSchema> = { Error: ERROR_SCHEMA }
  for (const operation of operations) {
    const { input, output } = operationSchemas(operation)
    schemas[`${operation.name}.input`] = input
    schemas[`${operation.name}.output`] = output
    paths[routeOf(operation.name)] = pathOf(operation, input)
  }
  for (const route of routes) paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: routePath(route) }
  return {
    openapi: '3.1.0',
    info: { title: 'Muster', version: '1', description: 'Every operation of muster. The command line uses the same routes.' },
    paths,
    components: {
      schemas,
      responses: FAILURE_RESPONSES,
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'Wanted on TCP; the Unix socket is guarded by its mode.' } },
    },
    security: [{ token: [] }],
  }
}

/** `{input, output}` of an operation as JSON Schema 2020-12, as `schemas/` holds them. */
export function operationSchemas(operation: Operation): { input: JsonSchema; output: JsonSchema } {
  return { input: schemaOf(operation.input, 'input'), output: schemaOf(operation.output, 'output') }
}

/** Whether it only reads, and so may be asked by GET too. */
export function isRead(operation: Operation): boolean {
  return operation.kind === 'query' || (operation.kind === 'action' && !operation.isMutation)
}

function pathOf(operation: Operation, input: JsonSchema): JsonSchema {
  const ref = (side: 'input' | 'output'): JsonSchema => ({ $ref: `#/components/schemas/${operation.name}.${side}` })
  const common = {
    tags: [operation.name.split('.')[0]],
    summary: operation.summary,
    'x-muster-role': operation.role,
    'x-muster-danger': operation.danger,
  }
  const hasPlan = operation.kind === 'command' || (operation.kind === 'action' && operation.hasPlan === true)
  const responses = {
    '200': { description: 'Done.', content: { 'application/json': { schema: answerSchema(ref('output'), hasPlan) } } },
    ...FAILED,
  }
  const post = {
    ...common,
    operationId: operation.name,
    parameters: hasPlan ? COMMAND_HEADERS : [],
    requestBody: { content: { 'application/json': { schema: ref('input') } } },
    responses,
  }
  if (!isRead(operation)) return { post }
  return { post, get: { ...common, operationId: `${operation.name}.get`, parameters: queryParameters(input), responses } }
}

function routePath({ path, summary, isRead: isReadOnly, query, body, answer }: RouteDef): JsonSchema {
  const content = (types: readonly string[], schema: z.ZodType | undefined, io: 'input' | 'output'): JsonSchema =>
    Object.fromEntries(types.map((type) => [type, schema === undefined ? {} : { schema: schemaOf(schema, io) }]))
  const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    ...{ name, in: 'path', required: true },
    schema: { type: 'string' },
  }))
  return {
    tags: [path.split('/')[2]],
    summary,
    'x-muster-role': isReadOnly ? 'viewer' : 'operator',
    parameters: [...named, ...(query === undefined ? [] : queryParameters(schemaOf(query, 'input')))],
    ...(body === undefined ? {} : { requestBody: { content: content(body.types, body.schema, 'input') } }),
    responses: {
      '200': { description: answer.description, content: content(answer.types, answer.schema, 'output') },
      ...FAILED,
    },
  }
}

const FAILED = Object.fromEntries(Object.keys(FAILURES).map((status) => [status, { $ref: `#/components/responses/${status}` }]))

const COMMAND_HEADERS = [
  { name: 'x-muster-plan', in: 'header', schema: { const: '1' }, description: 'Answer with the difference it would make; change nothing.' },
  {
    name: 'x-muster-apply',
    in: 'header',
    schema: { type: 'string' },
    description: 'Id of a plan; refused with 409 if what it touches has changed.',
  },
  {
    name: 'x-muster-confirm',
    in: 'header',
    schema: { type: 'string' },
    description: 'The name of the target, percent-encoded, where danger is high.',
  },
]

function answerSchema(output: JsonSchema, hasPlan: boolean): JsonSchema {
  const properties: JsonSchema = {
    ok: { const: true },
    data: output,
    warnings: { type: 'array', items: { type: 'string' } },
    position: { type: 'integer' },
  }
  if (hasPlan) properties['plan'] = { type: 'object', description: 'With x-muster-plan: id, position, entries and changed rows.' }
  return { type: 'object', properties, required: ['ok', 'data'] }
}

function queryParameters(input: JsonSchema): JsonSchema[] {
  const properties = (input['properties'] ?? {}) as Record<string, JsonSchema>
  const required = (input['required'] ?? []) as string[]
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', required: required.includes(name), schema }))
}

const FAILURE_RESPONSES = Object.fromEntries(
  Object.entries(FAILURES).map(([status, description]) => [
    status,
    { description, content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } },
  ]),
)

const ERROR_SCHEMA = {
  type: 'object',
  properties: {
    ok: { const: false },
    error: {
      type: 'object',
      properties: {
        code: { type: 'string' },
        message: { type: 'string' },
        hint: { type: 'string' },
        docs: { type: 'string' },
        exit: { type: 'integer', description: 'Exit code of the command line.' },
        details: {},
      },
      required: ['code', 'message', 'hint', 'docs', 'exit'],
    },
  },
  required: ['ok', 'error'],
}

/** Dates, transforms and the like have no JSON Schema; they become `{}`, "anything", rather than an error. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as JsonSchema
  return rest
}
