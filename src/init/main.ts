console.log('viver', process.argv);
