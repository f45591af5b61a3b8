export const handler = async () => { this is no JavaScript };
