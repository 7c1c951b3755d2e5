export const handler = async (event: unknown): Promise<{ statusCode: number }> => {
  return { statusCode: 200 };
};
