/** Keys and certificates for one run: an authority, a server and a client signed by it, and an authority nobody trusts. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun } from './command.ts';

export type TlsFiles = {
  /** The authority that signed the brokers' certificate. */
  readonly caFile: string;
  /** An authority that signed nothing here. */
  readonly otherCaFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
};

export type BrokerTlsFiles = { readonly keyStoreFile: string; readonly trustStoreFile: string };

export async function makeKeys(folder: string): Promise<{ files: TlsFiles; broker: BrokerTlsFiles }> {
  await Promise.all([makeAuthority(folder, 'ca'), makeAuthority(folder, 'other-ca')]);
  await Promise.all([
    makeSigned(folder, { name: 'server', subject: '/CN=localhost', usage: 'serverAuth' }),
    makeSigned(folder, { name: 'client', subject: '/CN=varve-test', usage: 'clientAuth' }),
  ]);
  const keyStoreFile = join(folder, 'server.pem');
  const parts = ['server-key.pem', 'server-cert.pem', 'ca.pem'].map((name) => join(folder, name));
  await writeFile(keyStoreFile, (await Promise.all(parts.map((part) => readFile(part, 'utf8')))).join(''));
  return {
    files: {
      caFile: join(folder, 'ca.pem'),
      otherCaFile: join(folder, 'other-ca.pem'),
      clientCertFile: join(folder, 'client-cert.pem'),
      clientKeyFile: join(folder, 'client-key.pem'),
    },
    broker: { keyStoreFile, trustStoreFile: join(folder, 'ca.pem') },
  };
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

async function makeAuthority(folder: string, name: string): Promise<void> {
  const files = ['-keyout', `${name}-key.pem`, '-out', `${name}.pem`];
  await openssl(folder, [
    'req',
    '-x509',
    ...newKey,
    ...files,
    '-days',
    '2',
    '-subj',
    `/CN=Varve test ${name}`,
  ]);
}

async function makeSigned(
  folder: string,
  certificate: { name: string; subject: string; usage: string },
): Promise<void> {
  const { name, subject, usage } = certificate;
  const extensions = [
    '-addext',
    'subjectAltName=IP:127.0.0.1,DNS:localhost',
    '-addext',
    `extendedKeyUsage=${usage}`,
  ];
  const request = `${name}.csr`;
  const files = ['-keyout', `${name}-key.pem`, '-out', request];
  await openssl(folder, ['req', '-new', ...newKey, ...files, '-subj', subject, ...extensions]);
  const serial = ['-set_serial', name === 'server' ? '2' : '3'];
  const signing = [
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca-key.pem',
    ...serial,
    '-copy_extensions',
    'copy',
    '-days',
    '2',
  ];
  await openssl(folder, ['x509', '-req', '-in', request, ...signing, '-out', `${name}-cert.pem`]);
}

async function openssl(folder: string, args: readonly string[]): Promise<void> {
  await mustRun('openssl', args, { cwd: folder, neededFor: 'make TLS keys for the brokers' });
}
