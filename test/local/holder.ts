/** A process that takes the folder it is given, says so or says why not, and holds it until it is killed. */
import { systemHost } from '../../src/host/host.ts';
import { LocalFolder } from '../../src/local/local.ts';

const [, , folder = '', name = ''] = process.argv;
try {
  await LocalFolder.open(systemHost, folder, {
    instance: 'main',
    serve: async (_, reply) => reply({ name, pid: process.pid }),
  });
  process.stdout.write('held\n');
} catch (error) {
  process.stdout.write(`${String(error)}\n`);
}
