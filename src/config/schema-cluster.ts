import { z } from 'zod';
import { defaulted, list, optional } from './keys.ts';
import { broker, flag, oneOf, text, webAddress, type Parse } from './scalars.ts';
import { flagRule, pathRule, textRule } from './rule-texts.ts';

const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;

/** The keys of `kafka`, and of every target. */
export function clusterShape(path: Parse<string>) {
  return {
    brokers: optional(list(broker, { min: 1 }), {
      rule: 'a list of host:port, at least one',
      summary: 'The brokers to ask first: host:port each.',
    }),
    clientId: defaulted(text, {
      rule: textRule,
      summary: 'What the brokers call this client in their logs and quotas.',
      fallback: 'varve',
    }),
    rack: optional(text, {
      rule: textRule,
      summary: 'Fetch from replicas in this rack where the brokers allow it.',
    }),
    ssl: z
      .strictObject({
        enabled: defaulted(flag, { rule: flagRule, summary: 'Speak TLS to the brokers.', fallback: 'false' }),
        caFile: optional(path, { rule: pathRule, summary: 'The authorities to trust, in PEM.' }),
        certFile: optional(path, { rule: pathRule, summary: "This client's certificate, in PEM." }),
        keyFile: optional(path, { rule: pathRule, summary: "The certificate's private key, in PEM." }),
        serverName: optional(text, {
          rule: textRule,
          summary: 'The name to ask for and to check, instead of the host.',
        }),
      })
      .prefault({}),
    sasl: saslSchema(path),
  };
}

function saslSchema(path: Parse<string>) {
  return z
    .strictObject({
      mechanism: optional(oneOf(saslMechanisms, { ignoreCase: true }), {
        rule: `one of ${saslMechanisms.join(', ')}`,
        summary: `How to authenticate: ${saslMechanisms.join(', ')}.`,
      }),
      username: optional(text, { rule: textRule, summary: 'The user, for PLAIN and SCRAM.' }),
      passwordFile: optional(path, {
        rule: pathRule,
        summary: 'A file that holds the password; read on each connection.',
      }),
      password: optional(text, {
        rule: textRule,
        summary: 'The password itself: from the environment only.',
        secret: true,
        environmentOnly: true,
      }),
      tokenCommand: optional(text, {
        rule: textRule,
        summary: 'A command that prints a token, for OAUTHBEARER.',
      }),
      oauth: z
        .strictObject({
          tokenEndpoint: optional(webAddress, {
            rule: 'an http or https URL',
            summary: 'Where to get a token.',
          }),
          clientId: optional(text, { rule: textRule, summary: 'The client id to get it with.' }),
          clientSecretFile: optional(path, {
            rule: pathRule,
            summary: "A file that holds the client's secret.",
          }),
          clientSecret: optional(text, {
            rule: textRule,
            summary: "The client's secret itself: from the environment only.",
            secret: true,
            environmentOnly: true,
          }),
          scope: optional(text, { rule: textRule, summary: 'The scope to ask for.' }),
        })
        .prefault({}),
    })
    .prefault({});
}
